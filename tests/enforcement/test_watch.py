"""What a sensor looks at again, and what it leaves alone; that it forgets nothing that matters."""

from __future__ import annotations

import datetime as dt
import json

import dagster as dg
import pytest

from dashboard_trust.enforcement.gated_assets import gates
from dashboard_trust.enforcement.watch import FULL_LOOK, Watch, look
from dashboard_trust.enforcement.words import hold
from dashboard_trust.readers import changes

D1, D2, D3, D4, D5, D6, D7 = (f"2024-03-0{n}" for n in range(1, 8))
EVERY = [D1, D2, D3, D4, D5, D6, D7]


class Watcher:
    """Looks at the miniature's dashboard, and passes its memory on as a cursor does."""

    def __init__(self, mini) -> None:
        self.mini, self.cursor, self.now = mini, None, dt.datetime.now(dt.UTC)
        self.gate = gates(mini.defs)[dg.AssetKey("dash")]

    def look(self, later: dt.timedelta = dt.timedelta()) -> list[str | None]:
        """Look once more; return the partitions that were judged."""
        self.now += later
        seen = look(self.gate, self.mini.instance, Watch.parse(self.cursor), self.now)
        self.cursor, self.standings = seen.watch.dump(), seen.standings
        return list(seen.standings)


@pytest.fixture
def watcher(mini) -> Watcher:
    return Watcher(mini)


def test_first_everything_is_judged_and_then_nothing_until_something_happens(watcher):
    assert watcher.look() == EVERY
    assert [watcher.look(), watcher.look()] == [[], []]


def test_a_model_that_was_built_is_judged_for_its_day_and_with_it_the_newest(mini, watcher):
    mini.build()
    watcher.look()
    mini.run("staging", "mart", day=D3)

    assert watcher.look() == [D3, D7]
    assert watcher.look() == []


def test_a_load_without_partitions_touches_every_day_that_stands_on_it(mini, watcher):
    mini.build()
    watcher.look()
    mini.run("raw")

    assert watcher.look() == EVERY


def test_what_happens_to_an_asset_that_it_does_not_stand_on_is_nothing(mini, watcher, run):
    mini.build()
    watcher.look()

    @dg.asset
    def other(): ...

    run(dg.Definitions([other]), "other")

    assert watcher.look() == []


def test_a_run_that_broke_is_seen_though_it_left_no_event_of_the_asset_but_its_plan(mini, watcher):
    mini.build()
    mini.broken = {"models"}
    watcher.look()
    mini.run("staging", "mart", day=D2)

    assert D2 in watcher.look()
    assert watcher.standings[D2].verdict.readiness == "BLOCKED"


def test_a_day_that_waits_for_a_run_is_judged_until_it_has_ended(mini, watcher):
    mini.build()
    watcher.look()
    during = []
    mini.while_building = lambda: during.extend([watcher.look(), watcher.look()])
    mini.run("staging", "mart", day=D4)

    assert during == [[D4, D7], [D4, D7]]
    assert watcher.look() == [D4, D7]
    assert watcher.look() == []


def test_a_check_that_ran_alone_and_failed_is_seen(instance, run, verdict_of):
    from dashboard_trust.contracts.model import DashboardContract
    from dashboard_trust.enforcement.gated_assets import trust, trusted_dashboard

    bad = []

    @dg.asset
    def raw(): ...

    @dg.asset_check(asset=raw)
    def complete():
        if "raises" in bad:
            raise ValueError("no such column")
        return dg.AssetCheckResult(passed=not bad)

    dash = trusted_dashboard(DashboardContract("dash", "team:dash"), lambda *_: None, deps=[raw])
    defs = trust(dg.Definitions([raw, dash], asset_checks=[complete]))
    run(defs, "raw", "dash")
    gate, watch, now = gates(defs)[dg.AssetKey("dash")], Watch(), dt.datetime.now(dt.UTC)
    watch = look(gate, instance, watch, now).watch
    assert not look(gate, instance, watch, now).standings
    for what in ("fails", "raises"):
        bad.append(what)
        checks = dg.AssetSelection.checks_for_assets(raw)
        job = dg.Definitions.merge(defs, dg.Definitions(jobs=[dg.define_asset_job("checks", checks)]))
        job.resolve_job_def("checks").execute_in_process(instance=instance, raise_on_error=False)

        seen = look(gate, instance, watch, now)
        watch = seen.watch

        assert seen.standings[None].verdict.readiness == "BLOCKED"


def test_a_person_who_holds_the_dashboard_is_heard_at_once(mini, watcher):
    mini.build()
    watcher.look()
    hold(mini.instance, watcher.gate.contract, by="ann", reason="auditors")

    assert watcher.look() == EVERY
    assert watcher.standings[D3].verdict.readiness == "BLOCKED"


def test_what_leaves_no_event_is_found_by_the_full_look(mini, watcher):
    mini.build()
    watcher.look()
    mini.instance.wipe_assets([dg.AssetKey("mart")])

    assert watcher.look() == []
    assert watcher.look(later=FULL_LOOK) == EVERY
    assert watcher.standings[D3].verdict.holds


def test_everything_is_judged_again_when_the_promised_time_comes(mini, watcher):
    from dataclasses import replace

    from dashboard_trust.contracts.model import ReadyBy

    watcher.gate.binding = replace(
        watcher.gate.binding, contract=replace(watcher.gate.contract, ready_by=ReadyBy(dt.time(8)))
    )
    watcher.now = dt.datetime(2024, 3, 8, 7, 59, tzinfo=dt.UTC)
    watcher.look()
    assert watcher.standings[D7].verdict.readiness == "WAITING"

    assert watcher.look() == []
    assert watcher.look(later=dt.timedelta(minutes=1)) == EVERY
    assert watcher.standings[D7].verdict.readiness == "DELAYED"


@pytest.mark.parametrize("cursor", [None, "", "{}", '{"2024-03-01": "READY:abc"}', "[]", "not json", "null", "7"])
def test_a_cursor_of_another_form_remembers_nothing(cursor):
    assert Watch.parse(cursor) == Watch()


def test_a_cursor_says_what_was_remembered(watcher):
    watcher.look()

    assert Watch.parse(watcher.cursor).dump() == watcher.cursor
    assert json.loads(watcher.cursor)["newest"] == D7


def test_an_event_log_that_began_anew_is_looked_at_whole(watcher):
    watcher.look()
    watcher.cursor = json.dumps({**json.loads(watcher.cursor), "seen": 10**9})

    assert watcher.look() == EVERY


def test_after_a_storm_everything_is_looked_at(mini, watcher, monkeypatch):
    mini.build()
    watcher.look()
    monkeypatch.setattr(changes, "MOST", 3)
    mini.run("staging", "mart", day=D3)

    assert watcher.look() == EVERY
