"""Partition mappings through the whole chain: what is bad upstream holds the partitions that stand on it, and no other.

Everything is built and checked by real runs; the dashboard is then launched alone, partition by partition.
The instance keeps its SQLite in memory: what files and Postgres add is seen in the miniature's tests.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import dagster as dg
import pytest

from dashboard_trust.contracts.model import DashboardContract, ReadyBy
from dashboard_trust.enforcement.gated_assets import trust, trusted_dashboard
from dashboard_trust.evidence.names import DAYS, SLICES

DAILY = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-08")
MARCH = dg.DailyPartitionsDefinition("2024-02-25", end_date="2024-03-24")
SUNDAYS = dg.WeeklyPartitionsDefinition("2024-02-25", end_date="2024-03-24")
MONDAYS = dg.WeeklyPartitionsDefinition("2024-02-26", day_offset=1, end_date="2024-03-24")
MONTHS = dg.MonthlyPartitionsDefinition("2024-02-01", end_date="2024-05-01")
WINTER = dg.DailyPartitionsDefinition("2024-02-01", end_date="2024-05-01")
HOURS = dg.HourlyPartitionsDefinition("2024-03-01-00:00", end_date="2024-03-04-00:00")
REGIONS = dg.StaticPartitionsDefinition(["north", "south"])
CITIES = dg.StaticPartitionsDefinition(["oslo", "rome", "cairo"])
CELLS = dg.MultiPartitionsDefinition({"day": DAILY, "region": REGIONS})
BERLIN = {"timezone": "Europe/Berlin"}
SPRING = dg.DailyPartitionsDefinition("2024-03-30", end_date="2024-04-02", **BERLIN)
SPRING_HOURS = dg.HourlyPartitionsDefinition("2024-03-30-00:00", end_date="2024-04-02-00:00", **BERLIN)
AUTUMN = dg.DailyPartitionsDefinition("2024-10-26", end_date="2024-10-29", **BERLIN)
AUTUMN_HOURS = dg.HourlyPartitionsDefinition("2024-10-26-00:00", end_date="2024-10-29-00:00", **BERLIN)
D1, D2, D3, D4, D5, D6, D7 = (f"2024-03-0{n}" for n in range(1, 8))


def shift(start: int, end: int, **options) -> dg.TimeWindowPartitionMapping:
    return dg.TimeWindowPartitionMapping(start_offset=start, end_offset=end, **options)


class Chain:
    """raw → mart → dash: raw and mart are loaded and checked by runs, of dash only the gate decides.

    ``bad`` are the partitions of raw that its check finds wrong.
    """

    def __init__(self, run, is_held, verdict_of, instance) -> None:
        self._run, self._is_held, self._verdict_of, self.instance = run, is_held, verdict_of, instance
        self.bad: set[str | None] = set()
        self.days: Mapping[str, str] | None = None
        self.refreshed: list[str | None] = []
        self.defs = dg.Definitions()

    def define(
        self, raw=None, mart=None, dash=None, *, above=None, below=None, itself=None, slices=None, **contract
    ) -> "Chain":
        """Lay the chain out with these partitions; ``above`` maps mart to raw, ``below`` dash to mart.

        ``itself`` maps mart to its own past, where it has one.
        """
        spec = DashboardContract("dash", "team:dash", **contract)
        dep = dg.AssetDep("mart", partition_mapping=below)
        metadata = {SLICES: slices} if slices else None
        dashboard = trusted_dashboard(spec, self._refresh, deps=[dep], partitions_def=dash, metadata=metadata)
        upstream = [dg.AssetDep("raw", partition_mapping=above)]
        if itself is not None:
            upstream.append(dg.AssetDep("mart", partition_mapping=itself))
        self.defs = trust(dg.Definitions([self._table("raw", raw, []), self._table("mart", mart, upstream), dashboard]))
        return self

    def build(self, *assets: str, first: str | None = None, last: str | None = None) -> "Chain":
        """Load and check these assets (by default both), from a partition to another (by default all)."""
        for asset in assets or ("raw", "mart"):
            partitions = self.defs.get_assets_def(asset).partitions_def
            with dg.partition_loading_context(dynamic_partitions_store=self.instance):
                keys = list(partitions.get_partition_keys()) if partitions else [None]
            assert self._run(self.defs, asset, day=first or keys[0], to=last or first or keys[-1]).success
        return self

    def launch(self, *partitions: str | None) -> dict[str | None, list[str]]:
        """Launch the dashboard alone for each partition; what held it, nothing where it was published."""
        return {partition: self._launch(partition) for partition in partitions or (None,)}

    def verdict(self, partition: str | None = None):
        """Judge the dashboard without a run."""
        return self._verdict_of(self.defs, "dash", partition)

    def _launch(self, partition: str | None) -> list[str]:
        self.refreshed.clear()
        result = self._run(self.defs, "dash", day=partition)
        (word,) = [e for e in result.get_asset_check_evaluations() if e.check_name == "upstream_ready"]
        materialized = [event.partition for event in result.get_asset_materialization_events()]
        assert word.partition == partition
        if word.passed:
            assert result.success
            assert self.refreshed == materialized == [partition]
            return []
        assert self._is_held(result)
        assert not self.refreshed
        assert not materialized
        found = word.metadata["findings"].records if "findings" in word.metadata else []
        told = [[record.data[name] for name in ("asset", "partition", "check", "outcome")] for record in found]
        return [" ".join(filter(None, words)) for words in told]

    def _refresh(self, context, verdicts):
        self.refreshed += [verdict.partition for verdict in verdicts]

    def _table(self, name: str, partitions, upstream) -> dg.AssetsDefinition:
        check = dg.AssetCheckSpec("ok", asset=name, partitions_def=partitions)
        spec = dg.AssetSpec(name, deps=upstream, partitions_def=partitions)

        @dg.multi_asset(
            name=name,
            specs=[spec],
            check_specs=[check],
            backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
        )
        def table(context):
            days = {DAYS: dg.MetadataValue.json(self.days)} if self.days is not None else {}
            yield dg.MaterializeResult(asset_key=name, metadata=days)
            for partition in context.partition_keys if partitions else [None]:
                passed = name != "raw" or partition not in self.bad
                yield dg.AssetCheckEvaluation(
                    asset_key=dg.AssetKey(name), check_name="ok", passed=passed, metadata={}, partition=partition
                )
            yield dg.Output(None, output_name=check.get_python_identifier())

        return table


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance in memory."""
    with dg.DagsterInstance.ephemeral(settings={"python_logs": {"python_log_level": "CRITICAL"}}) as instance:
        yield instance


@pytest.fixture
def chain(run, is_held, verdict_of, instance) -> Chain:
    return Chain(run, is_held, verdict_of, instance)


@dataclass(frozen=True)
class Case:
    """A chain's partitions and mappings, what is bad in raw, and what then holds which partition of dash."""

    name: str
    raw: object
    mart: object
    dash: object
    bad: set
    expected: dict
    above: object = None
    below: object = None
    options: dict = field(default_factory=dict)


def by(*partitions: str) -> list[str]:
    return [f"raw {partition} ok failed" for partition in partitions]


CASES = [
    Case(
        "a cell of a grid holds the same cell only",
        CELLS,
        CELLS,
        CELLS,
        {f"{D5}|north"},
        {f"{D5}|north": by(f"{D5}|north"), f"{D5}|south": [], f"{D4}|north": [], f"{D6}|north": []},
    ),
    Case(
        "a day on a grid stands on every region of that day",
        CELLS,
        DAILY,
        DAILY,
        {f"{D5}|south"},
        {D4: [], D5: by(f"{D5}|south"), D6: []},
    ),
    Case(
        "a daily dashboard on a grid stands on its day, by a mapping of one dimension",
        CELLS,
        CELLS,
        DAILY,
        {f"{D5}|south", f"{D5}|north"},
        {D4: [], D5: by(f"{D5}|north", f"{D5}|south"), D6: []},
        below=dg.MultiToSingleDimensionPartitionMapping("day"),
    ),
    Case(
        "a region's dashboard on a grid stands on every day of that region",
        CELLS,
        CELLS,
        REGIONS,
        {f"{D1}|north"},
        {"north": by(f"{D1}|north"), "south": []},
    ),
    Case(
        "a grid on days stands on the whole of its day",
        DAILY,
        CELLS,
        CELLS,
        {D5},
        {f"{D5}|north": by(D5), f"{D5}|south": by(D5), f"{D4}|south": [], f"{D6}|north": []},
    ),
    Case(
        "a grid that reads the day before in its own region",
        CELLS,
        CELLS,
        CELLS,
        {f"{D5}|north"},
        {f"{D5}|north": [], f"{D6}|north": by(f"{D5}|north"), f"{D6}|south": []},
        above=dg.MultiPartitionMapping(
            {
                "day": dg.DimensionPartitionMapping("day", shift(-1, -1)),
                "region": dg.DimensionPartitionMapping("region", dg.IdentityPartitionMapping()),
            }
        ),
    ),
    Case(
        "a week on a grid stands on every cell of its days",
        dg.MultiPartitionsDefinition({"day": MARCH, "region": REGIONS}),
        SUNDAYS,
        SUNDAYS,
        {"2024-03-09|south"},
        {"2024-02-25": [], "2024-03-03": by("2024-03-09|south"), "2024-03-10": []},
    ),
    Case(
        "an unpartitioned dashboard stands on every cell",
        CELLS,
        CELLS,
        None,
        {f"{D1}|north"},
        {None: by(f"{D1}|north")},
    ),
    Case(
        "regions stand on their own cities by a static mapping",
        CITIES,
        REGIONS,
        REGIONS,
        {"rome"},
        {"north": [], "south": by("rome")},
        above=dg.StaticPartitionMapping({"oslo": "north", "rome": "south", "cairo": "south"}),
    ),
    Case(
        "a city nobody maps is nobody's",
        CITIES,
        REGIONS,
        REGIONS,
        {"cairo"},
        {"north": [], "south": []},
        above=dg.StaticPartitionMapping({"oslo": "north", "rome": "south"}),
    ),
    Case(
        "every partition of all days",
        DAILY,
        REGIONS,
        REGIONS,
        {D1},
        {"north": by(D1), "south": by(D1)},
        above=dg.AllPartitionMapping(),
    ),
    Case(
        "the last day holds everyone who reads the last",
        DAILY,
        DAILY,
        DAILY,
        {D7},
        {D1: by(D7), D5: by(D7), D7: by(D7)},
        above=dg.LastPartitionMapping(),
    ),
    Case(
        "a day that is not the last holds nobody who reads the last",
        DAILY,
        DAILY,
        DAILY,
        {D5},
        {D1: [], D5: [], D7: []},
        above=dg.LastPartitionMapping(),
    ),
    Case(
        "the named partitions and no other",
        DAILY,
        DAILY,
        DAILY,
        {D2, D5},
        {D2: by(D2), D5: by(D2), D6: by(D2)},
        above=dg.SpecificPartitionsPartitionMapping([D2]),
    ),
    Case(
        "a trailing window of three days",
        DAILY,
        DAILY,
        DAILY,
        {D4},
        {D3: [], D4: by(D4), D5: by(D4), D6: by(D4), D7: []},
        above=shift(-2, 0),
    ),
    Case(
        "two offsets add up along the chain",
        DAILY,
        DAILY,
        DAILY,
        {D4},
        {D4: [], D5: [], D6: by(D4), D7: []},
        above=shift(-1, -1),
        below=shift(-1, -1),
    ),
    Case(
        "months on days, a leap day among them",
        WINTER,
        MONTHS,
        MONTHS,
        {"2024-02-29"},
        {"2024-02-01": by("2024-02-29"), "2024-03-01": [], "2024-04-01": []},
    ),
    Case(
        "days on months",
        MONTHS,
        WINTER,
        WINTER,
        {"2024-03-01"},
        {"2024-02-29": [], "2024-03-01": by("2024-03-01"), "2024-03-31": by("2024-03-01"), "2024-04-01": []},
    ),
    Case(
        "days on hours",
        HOURS,
        dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-04"),
        dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-04"),
        {"2024-03-02-00:00", "2024-03-02-23:00"},
        {D1: [], D2: by("2024-03-02-00:00", "2024-03-02-23:00"), D3: []},
    ),
    Case(
        "hours on days",
        dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-04"),
        HOURS,
        HOURS,
        {D2},
        {
            "2024-03-01-23:00": [],
            "2024-03-02-00:00": by(D2),
            "2024-03-02-23:00": by(D2),
            "2024-03-03-00:00": [],
        },
    ),
    Case(
        "weeks from Monday on weeks from Sunday stand on the days of both",
        MARCH,
        SUNDAYS,
        MONDAYS,
        {"2024-03-16"},
        {"2024-02-26": [], "2024-03-04": by("2024-03-16"), "2024-03-11": by("2024-03-16")},
    ),
    Case(
        "weeks from Monday on days end with their Sunday",
        MARCH,
        MONDAYS,
        MONDAYS,
        {"2024-03-10"},
        {"2024-02-26": [], "2024-03-04": by("2024-03-10"), "2024-03-11": []},
    ),
    Case(
        "a day of 23 hours",
        SPRING_HOURS,
        SPRING,
        SPRING,
        {"2024-03-31-03:00", "2024-03-31-23:00"},
        {"2024-03-30": [], "2024-03-31": by("2024-03-31-03:00", "2024-03-31-23:00"), "2024-04-01": []},
    ),
    Case(
        "the hour that comes twice, in a day of 25 hours",
        AUTUMN_HOURS,
        AUTUMN,
        AUTUMN,
        {"2024-10-27-02:00+0100"},
        {"2024-10-26": [], "2024-10-27": by("2024-10-27-02:00+0100"), "2024-10-28": []},
    ),
    Case(
        "the first hour after a day of 25 hours",
        AUTUMN_HOURS,
        AUTUMN,
        AUTUMN,
        {"2024-10-28-00:00"},
        {"2024-10-26": [], "2024-10-27": [], "2024-10-28": by("2024-10-28-00:00")},
    ),
    Case(
        "hours on a day of 25 hours",
        AUTUMN,
        AUTUMN_HOURS,
        AUTUMN_HOURS,
        {"2024-10-27"},
        {
            "2024-10-26-23:00": [],
            "2024-10-27-02:00": by("2024-10-27"),
            "2024-10-27-02:00+0100": by("2024-10-27"),
            "2024-10-27-23:00": by("2024-10-27"),
            "2024-10-28-00:00": [],
        },
    ),
    Case(
        "the day before a change of the clocks",
        SPRING,
        SPRING,
        SPRING,
        {"2024-03-31"},
        {"2024-03-31": [], "2024-04-01": by("2024-03-31")},
        above=shift(-1, -1),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_bad_holds_the_partitions_that_stand_on_it_and_no_other(case, chain):
    chain.define(case.raw, case.mart, case.dash, above=case.above, below=case.below)
    chain.bad = case.bad
    chain.build()

    assert chain.launch(*case.expected) == case.expected


# Dynamic partitions: only the instance knows them.


SHOPS = dg.DynamicPartitionsDefinition(name="shops")
DAY_AND_SHOP = dg.MultiPartitionsDefinition({"day": DAILY, "shop": SHOPS})


def test_a_dynamic_partition_added_after_the_definitions_were_built_is_required_and_can_be_published(chain, instance):
    chain.define(SHOPS, SHOPS, SHOPS)
    instance.add_dynamic_partitions("shops", ["a"])
    chain.build()
    assert chain.launch("a") == {"a": []}

    instance.add_dynamic_partitions("shops", ["b"])

    assert chain.launch("b") == {"b": ["raw b missing"]}
    assert chain.launch("a") == {"a": []}
    chain.bad = {"b"}
    chain.build(first="b")
    assert chain.launch("a", "b") == {"a": [], "b": by("b")}


def test_a_dashboard_on_all_shops_is_held_by_a_shop_that_is_added_until_it_is_loaded(chain, instance):
    chain.define(SHOPS, SHOPS, None)
    instance.add_dynamic_partitions("shops", ["a", "b"])
    chain.build()
    assert chain.launch() == {None: []}

    instance.add_dynamic_partitions("shops", ["c"])

    assert chain.launch() == {None: ["raw c missing"]}
    chain.build(first="c")
    assert chain.launch() == {None: []}


def test_a_shop_that_is_removed_holds_nobody_any_more_and_holds_again_once_it_is_back(chain, instance):
    chain.define(SHOPS, SHOPS, None)
    instance.add_dynamic_partitions("shops", ["a", "b", "c"])
    chain.bad = {"b"}
    chain.build()
    assert chain.launch() == {None: by("b")}

    instance.delete_dynamic_partition("shops", "b")
    assert chain.launch() == {None: []}

    instance.add_dynamic_partitions("shops", ["b"])
    assert chain.launch() == {None: by("b")}


def test_without_any_dynamic_partition_there_is_nothing_to_stand_on(chain):
    chain.define(SHOPS, SHOPS, None)

    assert chain.launch() == {None: ["dash unverified"]}
    assert chain.verdict().readiness == "UNKNOWN"


def test_a_shop_added_to_a_grid_of_days_and_shops_is_required_of_every_day(chain, instance):
    chain.define(DAY_AND_SHOP, DAILY, DAILY)
    instance.add_dynamic_partitions("shops", ["a", "b"])
    chain.bad = {f"{D2}|b"}
    chain.build()
    assert chain.launch(D1, D2, D3) == {D1: [], D2: by(f"{D2}|b"), D3: []}

    instance.delete_dynamic_partition("shops", "b")
    assert chain.launch(D2) == {D2: []}

    instance.add_dynamic_partitions("shops", ["c"])
    assert chain.launch(D3) == {D3: [f"raw {D3}|c missing"]}


# An unpartitioned table in between.


def test_an_unpartitioned_table_in_between_stands_on_every_day_and_so_does_each_day_built_from_it(chain):
    chain.define(DAILY, None, DAILY)
    chain.bad = {D2}
    chain.build()

    assert chain.launch(D1, D2, D5) == {D1: by(D2), D2: by(D2), D5: by(D2)}
    chain.bad = set()
    chain.build("raw", first=D2)
    assert chain.launch(D1, D5) == {D1: ["mart outdated"], D5: ["mart outdated"]}
    chain.build("mart")
    assert chain.launch(D1, D2, D5) == {D1: [], D2: [], D5: []}


def test_a_day_missing_above_an_unpartitioned_table_holds_each_day_built_from_it(chain):
    chain.define(DAILY, None, DAILY)
    chain.build("raw", first=D1, last=D6)
    chain.build("mart")

    assert chain.launch(D1, D6) == {D1: [f"raw {D7} missing"], D6: [f"raw {D7} missing"]}


def test_declared_slices_of_the_table_narrow_the_table_and_not_what_it_was_made_from(chain):
    chain.define(DAILY, None, DAILY, slices={"mart": "at"})
    chain.days = dict.fromkeys((D1, D2, D3, D5), "v1")
    chain.bad = {D2}
    chain.build()

    assert chain.launch(D1, D2) == {D1: by(D2), D2: by(D2)}
    chain.bad = set()
    chain.build("raw", first=D2)
    chain.build("mart")
    assert chain.launch(D1, D2, D4) == {D1: [], D2: [], D4: [f"mart {D4} missing"]}


def test_one_unpartitioned_dashboard_stands_on_all_days_through_an_unpartitioned_table(chain):
    chain.define(DAILY, None, None)
    chain.bad = {D1}
    chain.build()

    assert chain.launch() == {None: by(D1)}


def test_a_grid_reads_only_the_rows_of_its_own_day_of_a_sliced_table(chain):
    chain.define(None, None, CELLS, slices={"mart": "at"})
    chain.days = {D1: "v1", D2: "v1"}
    chain.build()

    assert chain.launch(f"{D1}|north", f"{D3}|north") == {f"{D1}|north": [], f"{D3}|north": [f"mart {D3} missing"]}


def test_a_cell_of_a_grid_is_promised_for_the_end_of_its_day(chain):
    chain.define(CELLS, CELLS, CELLS, ready_by=ReadyBy(dt.time(7)))
    chain.build("raw", first=f"{D1}|north")

    verdict = chain.verdict(f"{D1}|north")

    assert verdict.deadline == dt.datetime(2024, 3, 2, 7, tzinfo=dt.UTC)
    assert verdict.readiness == "DELAYED"


# An unpartitioned dashboard with a window.


@pytest.mark.parametrize(
    ("window", "bad", "held"),
    [
        (3, {D4}, []),
        (3, {D5}, by(D5)),
        (3, {D7}, by(D7)),
        (1, {D6}, []),
        (1, {D7}, by(D7)),
        (7, {D1}, by(D1)),
        (100, {D1}, by(D1)),
        (100, set(), []),
        (None, {D1}, by(D1)),
    ],
)
def test_a_window_stands_on_its_newest_days_and_on_no_older_one(window, bad, held, chain):
    chain.define(DAILY, DAILY, None, window=window)
    chain.bad = bad
    chain.build()

    assert chain.launch() == {None: held}


def test_a_window_stands_on_the_newest_days_that_are_due_not_on_those_that_are_loaded(chain):
    chain.define(DAILY, DAILY, None, window=2)
    chain.build(first=D1, last=D5)

    assert chain.launch() == {None: [f"raw {D6} missing", f"raw {D7} missing"]}


def test_a_window_of_weeks_stands_on_all_days_of_those_weeks(chain):
    chain.define(MARCH, SUNDAYS, None, window=1)
    chain.bad = {"2024-03-16"}
    chain.build()
    assert chain.launch() == {None: []}

    chain.bad = {"2024-03-17"}
    chain.build()
    assert chain.launch() == {None: by("2024-03-17")}


def test_a_window_moves_on_with_the_days(chain, instance):
    today = dt.datetime.now(dt.UTC).date()
    days = [(today - dt.timedelta(days=n)).isoformat() for n in (4, 3, 2, 1)]
    chain.define(*[dg.DailyPartitionsDefinition(days[0])] * 2, None, window=2)
    chain.bad = {days[1]}
    chain.build(first=days[0], last=days[3])

    assert chain.launch() == {None: []}
    chain.bad = {days[3]}
    chain.build(first=days[3])
    assert chain.launch() == {None: by(days[3])}


# At the edges: what the mapping asks for and nobody has.


LATER = dg.DailyPartitionsDefinition(D3, end_date="2024-03-08")
SHORTER = dg.DailyPartitionsDefinition(D1, end_date="2024-03-06")


@pytest.mark.parametrize("raw", [LATER, SHORTER])
def test_a_day_that_upstream_does_not_have_holds_and_is_named(raw, chain):
    chain.define(raw, DAILY, DAILY)
    chain.build()
    absent = D2 if raw is LATER else D6

    assert chain.launch(absent, D4) == {absent: [f"raw {absent} missing"], D4: []}


def test_a_week_that_begins_before_its_days_do_holds_unless_the_mapping_allows_it(chain):
    days = dg.DailyPartitionsDefinition("2024-03-05", end_date="2024-03-24")
    weeks = dg.WeeklyPartitionsDefinition("2024-03-03", end_date="2024-03-24")
    chain.define(days, weeks, weeks).build()
    assert chain.launch("2024-03-03", "2024-03-10") == {
        "2024-03-03": ["raw 2024-03-03 missing", "raw 2024-03-04 missing"],
        "2024-03-10": [],
    }

    chain.define(days, weeks, weeks, above=shift(0, 0, allow_nonexistent_upstream_partitions=True))
    assert chain.launch("2024-03-03") == {"2024-03-03": []}


def test_what_the_mapping_allows_to_be_absent_does_not_excuse_what_is_bad(chain):
    days = dg.DailyPartitionsDefinition("2024-03-05", end_date="2024-03-24")
    weeks = dg.WeeklyPartitionsDefinition("2024-03-03", end_date="2024-03-24")
    chain.define(days, weeks, weeks, above=shift(0, 0, allow_nonexistent_upstream_partitions=True))
    chain.bad = {"2024-03-05"}
    chain.build()

    assert chain.launch("2024-03-03", "2024-03-10") == {"2024-03-03": by("2024-03-05"), "2024-03-10": []}


def test_a_day_of_a_week_that_is_not_over_holds(chain):
    chain.define(SUNDAYS, MARCH, dg.DailyPartitionsDefinition("2024-02-25", end_date="2024-03-27"))
    chain.build()

    assert chain.launch("2024-03-23", "2024-03-24") == {"2024-03-23": [], "2024-03-24": ["mart 2024-03-24 missing"]}


@pytest.mark.parametrize("allowed", [False, True])
def test_where_both_begin_on_one_day_the_first_of_a_trailing_window_stands_on_what_there_is(allowed, chain):
    chain.define(DAILY, DAILY, DAILY, above=shift(-1, 0, allow_nonexistent_upstream_partitions=allowed))
    chain.bad = {D1}
    chain.build()

    assert chain.launch(D1, D2, D3) == {D1: by(D1), D2: by(D1), D3: []}


@pytest.mark.parametrize(
    ("offsets", "day", "absent"), [((-1, 0), D7, (D6, D7)), ((-1, -1), D7, (D6,)), ((-2, 0), D6, (D6,))]
)
def test_a_trailing_window_after_the_last_day_upstream_has_holds_and_names_it(offsets, day, absent, chain):
    chain.define(SHORTER, DAILY, DAILY, above=shift(*offsets)).build()

    assert chain.launch(day) == {day: [f"raw {one} missing" for one in absent]}


def test_the_first_day_of_a_dashboard_on_the_day_before_stands_on_nothing_and_is_held(chain):
    chain.define(DAILY, DAILY, DAILY, below=shift(-1, -1))
    chain.build()

    assert chain.launch(D1, D2) == {D1: [f"dash {D1} unverified"], D2: []}
    assert chain.verdict(D1).readiness == "UNKNOWN"


def test_time_zones_that_dagster_cannot_map_publish_nothing_and_are_unknown_with_the_reason(chain, run):
    chain.define(HOURS, HOURS, dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-04", **BERLIN))
    chain.build()

    result = run(chain.defs, "dash", day=D2)

    assert not result.success
    assert not chain.refreshed
    assert not result.get_asset_materialization_events()
    assert chain.verdict(D2).readiness == "UNKNOWN"
    assert "Timezones UTC and Europe/Berlin don't match" in chain.verdict(D2).findings[0].reason


def test_a_total_that_reads_its_own_past_carries_what_was_bad_on(chain):
    chain.define(DAILY, DAILY, DAILY, itself=shift(-1, -1))
    chain.bad = {D3}
    chain.build("raw")
    for day in (D1, D2, D3, D4):
        chain.build("mart", first=day)

    assert chain.launch(D1, D2, D3, D4) == {D1: [], D2: [], D3: by(D3), D4: by(D3)}


def test_a_window_of_a_grid_stands_on_the_newest_day_of_every_area(chain):
    areas = dg.StaticPartitionsDefinition(["north", "south"])
    grid = dg.MultiPartitionsDefinition({"area": areas, "day": DAILY})
    chain.define(grid, grid, None, window=2)
    chain.bad = {f"north|{D7}"}
    chain.build()

    assert chain.launch() == {None: by(f"north|{D7}")}


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_window_narrows_days_and_not_regions(dynamic, chain, instance):
    instance.add_dynamic_partitions("shops", ["north", "south"])
    partitions = SHOPS if dynamic else REGIONS
    chain.define(partitions, partitions, None, window=1)
    chain.bad = {"north"}
    chain.build()

    assert chain.launch() == {None: by("north")}


def test_a_window_does_not_excuse_the_partition_that_a_mapping_names(chain):
    chain.define(DAILY, DAILY, None, below=dg.SpecificPartitionsPartitionMapping([D1]), window=2)
    chain.bad = {D1}
    chain.build()

    assert chain.launch() == {None: by(D1)}


@pytest.mark.parametrize("offsets", [(-1, 0), (-2, 0)])
def test_a_trailing_window_reaches_no_further_back_than_the_first_day_upstream_has(offsets, chain):
    """As Dagster has it: where upstream begins there is no past, or nothing that reads its own could ever begin."""
    chain.define(LATER, DAILY, DAILY, above=shift(*offsets)).build()

    assert chain.launch(D3) == {D3: []}


def test_a_day_that_reads_the_day_after_holds_until_that_day_is_there(chain):
    chain.define(DAILY, DAILY, DAILY, above=shift(0, 1)).build()

    assert chain.launch(D6, D7) == {D6: [], D7: ["raw 2024-03-08 missing"]}


def test_what_was_built_before_its_input_existed_is_outdated_not_unreadable(chain):
    chain.define(DAILY, DAILY, DAILY)
    chain.build("mart", first=D1)
    chain.build("raw", first=D1)

    assert chain.launch(D1) == {D1: ["mart 2024-03-01 outdated"]}


def test_a_shop_that_upstream_no_longer_has_holds_who_still_reads_it(chain, instance):
    own = dg.DynamicPartitionsDefinition(name="own")
    for name in ("shops", "own"):
        instance.add_dynamic_partitions(name, ["a", "b"])
    chain.define(SHOPS, SHOPS, own, below=dg.IdentityPartitionMapping())
    chain.build()
    instance.delete_dynamic_partition("shops", "a")

    assert chain.launch("a", "b")["b"] == []
    assert chain.launch("a")["a"]
