"""CRM opportunities: a file a day in the landing folder, loaded when it arrives."""

# No postponed annotations here: Dagster reads the one of `context` as an object.

import datetime as dt
import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import dagster as dg
import pandas as pd

from dashboard_trust.demo.home import Home
from dashboard_trust.enforcement.automation import request_run, stretches
from dashboard_trust.enforcement.slices import PARTITION_EXPR
from dashboard_trust.enforcement.suite_checks import suite_checks

KEY = dg.AssetKey(["raw", "crm_opportunities"])
COLUMNS = ("opportunity_id", "account", "stage", "amount", "updated_at")
SIGNATURE = "demo/file_signature"
SETTLED_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A day's file, with the hash of its content."""

    day: str
    signature: str


def build_crm_opportunities(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """Build the asset that returns the rows of the day files as one frame."""

    @dg.asset(
        key=KEY,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="warehouse_io",
        metadata={PARTITION_EXPR: "partition_day"},
        group_name="raw",
        kinds={"file", "pandas", "duckdb"},
        owners=["sales-ops@example.com"],
        description="The CRM's daily export, as it was delivered.",
    )
    def crm_opportunities(context: dg.AssetExecutionContext) -> pd.DataFrame:
        home, frames = Home.from_environment(), []
        for day in context.partition_keys:
            frames.append(_read_day(home, day))
            context.add_asset_metadata({SIGNATURE: _signature(_path(home, day))}, KEY, day)
        return pd.concat(frames, ignore_index=True)

    return crm_opportunities


def build_suite_checks(crm: dg.AssetsDefinition) -> dg.AssetChecksDefinition:
    """Build the checks that sales keeps as a Great Expectations suite."""
    with resources.as_file(resources.files("dashboard_trust.demo") / "crm_opportunities.gx.json") as suite:
        return suite_checks(crm, suite, lambda: Home.from_environment().warehouse)


def read_new_arrivals(home: Home, instance: dg.DagsterInstance, days: set[str]) -> list[Arrival]:
    """Return the files of these days whose content no materialization was made from, oldest first.

    A file still being written (younger than a second) is left for the next look.
    """
    folder = home.landing / "crm_opportunities"
    settled = time.time() - SETTLED_SECONDS
    files = [path for path in sorted(folder.glob("*.csv")) if path.stem in days and path.stat().st_mtime <= settled]
    known = _known_signatures(instance, {path.stem for path in files})
    arrivals = (Arrival(path.stem, _signature(path)) for path in files)
    return [arrival for arrival in arrivals if known.get(arrival.day) != arrival.signature]


def build_arrival_sensor(crm: dg.AssetsDefinition, partitions: dg.PartitionsDefinition) -> dg.SensorDefinition:
    """Build the sensor that launches the partition of each file that arrived or was corrected."""

    @dg.sensor(
        name="crm_file_arrival",
        target=dg.AssetSelection.assets(crm.key),
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Launches the days of raw/crm_opportunities whose files arrived or changed.",
    )
    def crm_file_arrival(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        home, days = Home.from_environment(), partitions.get_partition_keys()
        arrivals = {arrival.day: arrival for arrival in read_new_arrivals(home, context.instance, set(days))}
        if not arrivals:
            yield dg.SkipReason(f"No new file in {home.landing.name}/crm_opportunities.")
        for stretch in stretches(days, arrivals):
            yield from _requests(context.instance, [arrivals[str(day)] for day in stretch])

    return crm_file_arrival


def _requests(instance: dg.DagsterInstance, stretch: Sequence[Arrival]) -> Iterator[dg.RunRequest]:
    """Ask for adjacent files together; once that has failed, for each alone, so that one bad file spoils no other."""
    names = [f"{arrival.day}:{arrival.signature}" for arrival in stretch]
    together = hashlib.sha256(" ".join(names).encode()).hexdigest()[:16] if len(names) > 1 else names[0]
    tried = instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": together}), limit=1)
    if tried and tried[0].status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED):
        yield from (request_run(KEY, [a.day], name) for a, name in zip(stretch, names, strict=True))
    else:
        yield request_run(KEY, [arrival.day for arrival in stretch], together)


def _read_day(home: Home, day: str) -> pd.DataFrame:
    path = _path(home, day)
    name = path.relative_to(home.path)
    if not path.is_file():
        raise dg.Failure(f"{name} has not arrived", allow_retries=False)
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise dg.Failure(f"{name} cannot be read: {error}", allow_retries=False) from None
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise dg.Failure(
            f"{name} has no column {', '.join(missing)}; it has {', '.join(frame.columns)}", allow_retries=False
        )
    return frame[list(COLUMNS)].assign(partition_day=dt.date.fromisoformat(day))


def _known_signatures(instance: dg.DagsterInstance, days: set[str]) -> dict[str, str]:
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=KEY, asset_partitions=sorted(days)), limit=10 * len(days) or 1
    ).records
    known: dict[str, str] = {}
    for record in records:  # newest first
        materialization = record.asset_materialization
        if materialization is not None and materialization.partition not in known:
            value = materialization.metadata.get(SIGNATURE)
            known[str(materialization.partition)] = str(value.value) if value else ""
    return known


def _path(home: Home, day: str) -> Path:
    return home.landing / "crm_opportunities" / f"{day}.csv"


def _signature(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
