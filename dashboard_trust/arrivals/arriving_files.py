"""Files as an asset: the rows of each partition's files, through the IO manager, with what each file was."""

# No postponed annotations here: Dagster reads the one of `context` as an object.

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from dashboard_trust.arrivals.declaration import FileSource
from dashboard_trust.arrivals.loading import Loaded, TooManyRefusedError, as_table, expected_path, load_files, reasons
from dashboard_trust.arrivals.partitions import Partitioning
from dashboard_trust.enforcement.audited_assets import AUDIT, audited
from dashboard_trust.enforcement.calls import give_up
from dashboard_trust.enforcement.evaluations import PartitionResult, evaluate_partitions
from dashboard_trust.enforcement.gated_step import check_spec
from dashboard_trust.enforcement.io_manager import TrustedIOManager
from dashboard_trust.enforcement.partition_mappings import period_of
from dashboard_trust.enforcement.slices import PARTITION_EXPR
from dashboard_trust.errors import DashboardTrustError, FileRefusedError, InvalidInputError
from dashboard_trust.evidence.names import EXPECTED, FILES, LATE
from dashboard_trust.readers.event_log import read_newest
from dashboard_trust.verdicts.wording import moment
from dashboard_trust.warehouses.frames import from_arrow

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_FIT = "rows_fit"
"""The check of what was kept aside: it warns, with where the rows are."""

OUTPUT = "rows"
IO_MANAGER = "warehouse_io"


def arriving_files(  # noqa: PLR0913  # what an asset is given is said by name
    key: dg.AssetKey | Sequence[str] | str,
    source: FileSource,
    *,
    partitions_def: dg.PartitionsDefinition | None = None,
    io_manager_key: str = IO_MANAGER,
    metadata: Mapping[str, Any] | None = None,
    description: str | None = None,
    **attributes: Any,
) -> dg.AssetsDefinition:
    """Build the asset that loads the files of its partitions.

    The fields of a path that tell its partition become columns. Rows that do not fit are kept aside, and counted by the
    check `ROWS_FIT`; a file that may not be believed fails the step, and what was loaded before stands.

    Args:
        key: The asset's key.
        source: The files.
        partitions_def: Its partitions, each told by a field of the files' paths.
        io_manager_key: Of the `TrustedIOManager`.
        metadata: As of any asset; an audit (``dashboard_trust/audit``) is shown as checks.
        description: What the UI says of it.
        attributes: ``owners``, ``group_name``, ``kinds``, ``tags`` and the like of `dagster.AssetOut`.

    Raises:
        InvalidInputError: No field of the pattern tells the partitions, or none by when files are expected.
    """
    asset = dg.AssetKey(key.split("/")) if isinstance(key, str) else dg.AssetKey.from_coercible(key)
    partitioning = Partitioning.tell(source.pattern, partitions_def)
    if source.expected is not None and not any(_is_time(one) for *_, one in partitioning.dimensions):
        raise InvalidInputError(
            f"{asset.to_user_string()}: files are expected by a time after the end of their partition, and "
            f"{source.pattern.text!r} tells no partition of time: leave out `expected`."
        )
    told = {**_told(source, partitioning), **(metadata or {})}
    if source.accept_empty:
        told[AUDIT] = _accept_empty(told.get(AUDIT) or ())
    spec = dg.AssetSpec(asset, partitions_def=partitions_def, metadata=told)

    @dg.multi_asset(
        name=asset.to_python_identifier(),
        outs={
            OUTPUT: dg.AssetOut(
                key=asset,
                io_manager_key=io_manager_key,
                is_required=False,
                metadata=told,
                description=description or f"The rows of {source.pattern.text}.",
                **attributes,
            )
        },
        check_specs=[check_spec(spec, ROWS_FIT, "Rows of files that do not fit are kept aside.", blocking=False)],
        can_subset=True,
        partitions_def=partitions_def,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions_def is not None else None,
        required_resource_keys={io_manager_key},
    )
    def load(context: dg.AssetExecutionContext) -> Iterator[Any]:
        if OUTPUT not in context.op_execution_context.selected_output_names:
            raise InvalidInputError(f"{asset.to_user_string()}: {ROWS_FIT} is known as files are loaded; load them.")
        keys = list(context.partition_keys) if partitions_def is not None else [None]
        kept, io_manager = {}, getattr(context.resources, io_manager_key)
        tables = []
        for part in keys:
            loaded = _load(context, source, partitioning, spec, part, io_manager)
            kept[part] = _keep_aside(loaded, io_manager, spec, part, context.run.run_id)
            said = {FILES: dg.MetadataValue.json(dict(loaded.files))}
            context.add_asset_metadata({**said, **_say_late(source, loaded, partitions_def, part)}, asset, part)
            tables.append(loaded.data)
        yield dg.Output(_transformed(source, tables), output_name=OUTPUT)
        if context.selected_asset_check_keys:
            yield from evaluate_partitions(context.instance, {dg.AssetCheckKey(asset, ROWS_FIT): kept}, blocking=False)

    return audited(load) if told.get(AUDIT) else load


def _is_time(partitions: dg.PartitionsDefinition) -> bool:
    return isinstance(partitions, dg.TimeWindowPartitionsDefinition)


def _accept_empty(rules: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return an audit that lets a file without rows take the place of one with rows, unless it says how many."""
    return [*rules] if any("row_count" in rule for rule in rules) else [*rules, {"row_count": {"min": 0}}]


def _told(source: FileSource, partitioning: Partitioning) -> dict[str, Any]:
    """Return what the definition says: the columns its partitions are told by, and by when files are expected."""
    told: dict[str, Any] = {}
    fields = dict(partitioning.fields)
    if fields:
        told[PARTITION_EXPR] = fields.get("") or fields
    told[EXPECTED] = {"file": source.pattern.text}
    if source.expected is not None:
        told[EXPECTED] |= {
            "time": source.expected.time.isoformat(),
            "timezone": source.expected.timezone,
            "days_after_end": source.expected.days_after_end,
        }
    return told


def _load(  # noqa: PLR0913, PLR0917  # a step's own parts
    context: dg.AssetExecutionContext,
    source: FileSource,
    partitioning: Partitioning,
    spec: dg.AssetSpec,
    part: str | None,
    io_manager: TrustedIOManager,
) -> Loaded:
    """Load one partition; a file that may not be believed is a failure that no retry mends."""
    place = (spec.key.to_user_string(), part)
    before = read_newest(context.instance, {place}).get(place)
    try:
        return load_files(source.open_store(), source, partitioning, part, before.files if before else {})
    except TooManyRefusedError as error:
        where = io_manager.keep_aside(spec, part, as_table(error.refused), str(error), f"run {context.run.run_id[:8]}")
        refused = FileRefusedError(f"{error}. All of these rows are in {where}.")
    except FileRefusedError as error:
        refused = error
    raise give_up(expected_path(partitioning, part), refused) from refused


def _say_late(
    source: FileSource, loaded: Loaded, partitions: dg.PartitionsDefinition | None, part: str | None
) -> dict[str, Any]:
    """Return what a materialization says of files that came, for the first time, after they were expected."""
    period = period_of(partitions, part) if source.expected is not None else None
    if source.expected is None or period is None:
        return {}
    expected = source.expected.deadline(period.end)
    late = [
        f"{path} came {moment(came)}, and was expected by {moment(expected)}"
        for path, came in loaded.came.items()
        if came > expected
    ]
    return {LATE: "; ".join(late)} if late else {}


def _keep_aside(
    loaded: Loaded, io_manager: TrustedIOManager, spec: dg.AssetSpec, part: str | None, run_id: str
) -> PartitionResult:
    if not loaded.refused:
        return PartitionResult(True, metadata={"rows": loaded.total})
    number = sum(len(rows) for rows in loaded.refused.values())
    said = "; ".join(f"{path}: {reasons(rows)}" for path, rows in loaded.refused.items())
    where = io_manager.keep_aside(spec, part, as_table(loaded.refused), said, f"run {run_id[:8]}")
    reason = f"{number} of {loaded.total} rows do not fit and are in {where}: {said}"
    return PartitionResult(False, reason, warns=True, metadata={"rows": loaded.total, "refused": number})


def _transformed(source: FileSource, tables: "Sequence[pa.Table]") -> object:
    import pyarrow as pa

    frame = from_arrow(pa.concat_tables(tables), source.frame)
    if source.transform is None:
        return frame
    changed = source.transform(frame)
    if changed is None:
        raise DashboardTrustError(f"{source.transform} returned nothing; return the rows.")
    return changed
