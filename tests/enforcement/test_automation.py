"""When runs are asked for: once for each version of the inputs, and never again because a run failed."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from dashboard_trust.enforcement.automation import (
    RANGE_END,
    RANGE_START,
    inputs_ready,
    readiness_sensor,
    stretches,
)
from dashboard_trust.enforcement.gate import Standing
from dashboard_trust.evidence.facts import Materialization
from dashboard_trust.verdicts.verdict import Readiness, Verdict

MODELS = ["staging", "mart"]
DAYS = ["2024-03-01", "2024-03-02", "2024-03-03"]
FIRST, LAST = "2024-03-01", "2024-03-05"


class Automation:
    """The miniature chain with a condition on its models, ticked by hand."""

    def __init__(self, mini) -> None:
        assets = mini.defs.resolve_asset_graph().assets_defs
        self.mini = mini
        self.defs = dg.Definitions([a.map_asset_specs(_with_condition) for a in assets])
        self.cursor = None

    def tick(self) -> dict[str, set[str]]:
        """Evaluate once more; return the days asked for, by asset."""
        found = dg.evaluate_automation_conditions(self.defs, self.mini.instance, cursor=self.cursor)
        self.cursor = found.cursor
        return {name: set(found.get_requested_partitions(dg.AssetKey(name))) for name in MODELS}


def _with_condition(spec: dg.AssetSpec) -> dg.AssetSpec:
    return spec.replace_attributes(automation_condition=inputs_ready()) if spec.key.path[-1] in MODELS else spec


def both(*days: str) -> dict[str, set[str]]:
    return {name: set(days) for name in MODELS}


@pytest.fixture
def automation(mini) -> Automation:
    return Automation(mini)


@pytest.fixture
def sensor(mini):
    """Tick the dashboard's readiness sensor; return the stretches asked for."""
    definition = readiness_sensor(mini.defs.get_assets_def("dash"))
    defs = dg.Definitions.merge(mini.defs, dg.Definitions(sensors=[definition]))
    cursor = None

    def tick() -> list[tuple[str, str]]:
        nonlocal cursor
        context = dg.build_sensor_context(mini.instance, cursor=cursor, definitions=defs)
        data = definition.evaluate_tick(context)
        cursor = data.cursor
        return [
            (r.tags.get(RANGE_START) or r.partition_key, r.tags.get(RANGE_END) or r.partition_key)
            for r in data.run_requests
        ]

    return tick


def test_models_that_a_failed_run_did_not_build_are_not_asked_for_in_a_loop(mini, automation):
    mini.run("raw")
    mini.broken.add("models")
    asked = automation.tick()
    failed = mini.run(*MODELS, day=FIRST, to=LAST)

    assert not failed.success
    assert asked == both(*mini.rows)
    assert [automation.tick() for _ in range(3)] == [both()] * 3


def test_nothing_is_asked_for_while_inputs_are_not_there_or_held(mini, automation):
    assert automation.tick() == both()

    mini.bad.add(LAST)
    mini.run("raw")

    assert automation.tick() == both(*set(mini.rows) - {LAST})


def test_a_changed_day_is_asked_for_alone_and_a_reload_of_the_same_not_at_all(mini, automation):
    mini.build()
    before = automation.tick()
    mini.run("raw")
    same = automation.tick()
    mini.rows[LAST] = "v2"
    mini.run("raw")

    assert (before, same, automation.tick()) == (both(), both(), both(LAST))


def test_a_version_that_comes_while_the_last_is_being_built_is_asked_for_after_it(mini, automation):
    during = []

    def reload() -> None:
        mini.while_building = lambda: None
        mini.rows[FIRST] = "v2"
        mini.run("raw")
        during.append(automation.tick())

    mini.run("raw")
    automation.tick()
    mini.while_building = reload
    mini.run(*MODELS, day=FIRST)

    assert during == [both()]
    assert automation.tick() == both(FIRST)
    assert automation.tick() == both()


def test_the_dashboard_is_asked_for_once_in_stretches_without_the_held_day(mini, sensor):
    mini.bad.add("2024-03-03")
    mini.run("raw")
    for start, end in [(FIRST, "2024-03-02"), ("2024-03-04", LAST)]:
        mini.run(*MODELS, day=start, to=end)

    assert sensor() == [(FIRST, "2024-03-02"), ("2024-03-04", LAST)]
    assert [sensor(), sensor()] == [[], []]


def test_a_day_that_was_held_meanwhile_is_asked_for_again(mini, sensor):
    mini.build()
    first = sensor()
    mini.bad.add(LAST)
    mini.run("raw")
    held = sensor()
    mini.bad.clear()
    mini.run("raw")

    assert (first, held, sensor()) == ([(FIRST, LAST)], [], [(LAST, LAST)])


def test_the_dashboard_is_not_asked_for_what_was_published(mini, sensor):
    mini.build().run("dash", day=FIRST, to=LAST)

    assert sensor() == []


@pytest.mark.parametrize(
    ("delivered", "now", "current"),
    [
        ({"sales": "v1"}, {"sales": "v1"}, True),  # the late section is still unmet
        ({"sales": "v1"}, {"sales": "v1", "crm": "v1"}, False),  # it came
        ({"sales": "v1", "crm": "v1"}, {"sales": "v1"}, True),  # it went bad: nothing newer to show
        ({"sales": "v1", "crm": "v1"}, {"sales": "v2"}, False),
        (None, {"sales": "v1"}, False),
    ],
)
def test_what_was_shown_is_current_as_long_as_nothing_newer_would_be_read(delivered, now, current):
    noon = dt.datetime(2024, 3, 6, 12, tzinfo=dt.UTC)
    verdict = Verdict("dash", FIRST, Readiness.PARTIAL, noon, consumed=tuple(now.items()))
    load = None if delivered is None else Materialization("dash", FIRST, 7, noon, "run", "v1", consumed=delivered)

    assert Standing(verdict, (load,), stops=False).is_current is current


def test_stretches_are_cut_at_every_gap():
    assert list(stretches("abcdef", {"a", "c", "d", "f"})) == [["a"], ["c", "d"], ["f"]]
