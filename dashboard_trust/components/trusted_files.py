"""Files that arrive, declared in a ``defs.yaml``."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg

from dashboard_trust.components.fields import Part, ReadyByField
from dashboard_trust.components.scaffold import TrustedFilesScaffolder
from dashboard_trust.components.trusted_dashboard import find_refresh
from dashboard_trust.errors import InvalidInputError

if TYPE_CHECKING:
    from dashboard_trust.arrivals.completeness import Complete
    from dashboard_trust.arrivals.declaration import FileSource, Format

SCHEDULES = {
    "hourly": dg.HourlyPartitionsDefinition,
    "daily": dg.DailyPartitionsDefinition,
    "weekly": dg.WeeklyPartitionsDefinition,
    "monthly": dg.MonthlyPartitionsDefinition,
}
CSV_ONLY = ("delimiter", "quote", "header")


class ColumnField(Part):
    """As `FileColumn`."""

    name: str
    type: str = "text"
    required: bool = False
    source: str = ""
    missing: list[str] | None = None


class CompleteField(Part):
    """When a file is all there: one of these."""

    settled_seconds: float | None = None
    marker: str | None = None
    manifest: str | None = None


class DimensionField(Part):
    """The partitions that one field of the path tells: a schedule from a day on, values, or those that arrive."""

    schedule: Literal["hourly", "daily", "weekly", "monthly"] | None = None
    start: str | None = None
    timezone: str = "UTC"
    values: list[str] | None = None
    dynamic: str | None = None


@dg.scaffold_with(TrustedFilesScaffolder)
class TrustedFiles(dg.Component, dg.Model, dg.Resolvable):
    """Files that are loaded as they arrive, into the table that the asset's key names.

    The attributes are those of a `FileSource`, and the asset's own. ``partitions`` maps a field of the pattern to what
    it tells; with several, they are a partition together. The rows are written by the `TrustedIOManager` that the
    project has as ``io_manager_key``; a sensor, on from the start unless ``running: false``, launches the runs.
    """

    key: str
    store: str
    pattern: str
    columns: list[ColumnField]
    owner: str
    options: dict[str, Any] | None = None
    format: Literal["csv", "json", "parquet"] = "csv"
    delimiter: str | None = None
    quote: str | None = None
    header: bool | None = None
    encoding: str | None = None
    complete: CompleteField | None = None
    partitions: dict[str, DimensionField] | None = None
    expected: ReadyByField | None = None
    max_refused: int = 0
    ignored: list[str] | None = None
    accept_empty: bool = False
    frame: Literal["pandas", "polars", "pyarrow"] = "pyarrow"
    transform: str | None = None
    audit: list[dict[str, Any]] | None = None
    description: str | None = None
    group: str | None = None
    io_manager_key: str = "warehouse_io"
    together: int = 1
    interval_seconds: int = 30
    running: bool = True

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the asset and its sensor; raise `InvalidInputError` for what cannot be meant."""
        from dashboard_trust.arrivals.arriving_files import arriving_files
        from dashboard_trust.arrivals.file_arrivals import file_arrival_sensor
        from dashboard_trust.enforcement.audited_assets import AUDIT

        source = self.source()
        asset = arriving_files(
            self.key,
            source,
            partitions_def=self.partitions_def(),
            io_manager_key=self.io_manager_key,
            metadata={AUDIT: self.audit} if self.audit else None,
            description=self.description,
            owners=[self.owner],
            group_name=self.group,
        )
        status = dg.DefaultSensorStatus.RUNNING if self.running else dg.DefaultSensorStatus.STOPPED
        sensor = file_arrival_sensor(
            asset,
            source,
            together=self.together,
            minimum_interval_seconds=self.interval_seconds,
            default_status=status,
        )
        return dg.Definitions(assets=[asset], sensors=[sensor])

    def source(self) -> FileSource:
        """Return the files as a value."""
        from dashboard_trust.arrivals.declaration import FileColumn, FileSource
        from dashboard_trust.arrivals.patterns import PathPattern
        from dashboard_trust.arrivals.stores import Store

        return FileSource(
            store=Store(self.store, self.options or {}),
            pattern=PathPattern(self.pattern),
            columns=[
                FileColumn(one.name, one.type, one.required, one.source, tuple(one.missing or ()))
                for one in self.columns
            ],
            format=self._format(),
            complete=self._complete(),
            expected=_ready_by(self.expected),
            max_refused=self.max_refused,
            ignored=[PathPattern(one) for one in self.ignored or ()],
            accept_empty=self.accept_empty,
            frame=self.frame,
            transform=find_refresh(self.transform, self.key) if self.transform else None,
        )

    def partitions_def(self) -> dg.PartitionsDefinition | None:
        """Return the partitions that the fields of the path tell."""
        from dashboard_trust.arrivals.patterns import PathPattern

        told = {name: self._dimension(name, one) for name, one in (self.partitions or {}).items()}
        unknown = [name for name in told if name not in PathPattern(self.pattern).fields]
        if unknown:
            raise InvalidInputError(f"{self.key!r}: partitions {unknown[0]!r} is no field of {self.pattern!r}.")
        if len(told) > 1:
            return dg.MultiPartitionsDefinition(told)
        return next(iter(told.values()), None)

    def _dimension(self, name: str, one: DimensionField) -> dg.PartitionsDefinition:
        given = [one.schedule, one.values, one.dynamic]
        if sum(value is not None for value in given) != 1 or (one.schedule is None) != (one.start is None):
            raise InvalidInputError(
                f"{self.key!r}: partitions {name!r} have a schedule with its start, or values, or dynamic a name."
            )
        if one.values is not None:
            return dg.StaticPartitionsDefinition(one.values)
        if one.dynamic is not None:
            return dg.DynamicPartitionsDefinition(name=one.dynamic)
        start = str(one.start) + ("-00:00" if one.schedule == "hourly" else "")
        try:
            partitions: dg.PartitionsDefinition = SCHEDULES[str(one.schedule)](start, timezone=one.timezone)
            return partitions
        except (ValueError, dg.DagsterError) as error:
            raise InvalidInputError(f"{self.key!r}: partitions {name!r}: {error}") from None

    def _format(self) -> Format:
        from dashboard_trust.arrivals.declaration import Csv, JsonLines, Parquet

        said = {name: getattr(self, name) for name in (*CSV_ONLY, "encoding") if getattr(self, name) is not None}
        allowed = {"csv": {*CSV_ONLY, "encoding"}, "json": {"encoding"}, "parquet": set[str]()}[self.format]
        odd = sorted(said.keys() - allowed)
        if odd:
            raise InvalidInputError(f"{self.key!r}: files of format {self.format} have no {odd[0]!r}.")
        formats: dict[str, Any] = {"csv": Csv, "json": JsonLines, "parquet": Parquet}
        found: Format = formats[self.format](**said)
        return found

    def _complete(self) -> Complete:
        from dashboard_trust.arrivals.completeness import Manifest, Marker, Settled
        from dashboard_trust.arrivals.patterns import PathPattern

        said = self.complete.model_dump(exclude_none=True) if self.complete is not None else {}
        if len(said) > 1:
            raise InvalidInputError(f"{self.key!r}: a file is complete by one of {', '.join(said)}, not by several.")
        if "marker" in said:
            return Marker(PathPattern(said["marker"]))
        if "manifest" in said:
            return Manifest(PathPattern(said["manifest"]))
        return Settled(said["settled_seconds"]) if said else Settled()


def _ready_by(field: ReadyByField | None) -> Any:
    from dashboard_trust.contracts.model import ReadyBy

    if field is None:
        return None
    try:
        time = dt.time.fromisoformat(field.time)
    except ValueError:
        raise InvalidInputError(f'expected: {field.time!r} is not a time of day like "06:00".') from None
    return ReadyBy(time, field.timezone, field.days_after_end)
