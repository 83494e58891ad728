"""A source that is out for two hours, simulated: real runs, a real instance, and a clock that only waiting moves."""

from __future__ import annotations

import datetime as dt
import time
from types import SimpleNamespace

import dagster as dg
import pytest
import time_machine
from dagster._core.execution.plan import active

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.contracts.sources import Source
from dashboard_trust.enforcement.automation import readiness_sensor
from dashboard_trust.enforcement.calls import read_outage
from dashboard_trust.enforcement.gated_assets import trust, trusted_dashboard
from dashboard_trust.failures.policy import Budget
from dashboard_trust.incidents.deliveries import tell

START = dt.datetime(2026, 1, 1, 6, tzinfo=dt.UTC)
OUTAGE = dt.timedelta(hours=2)
STREAMS = [f"stream_{n}" for n in range(5)]
pytestmark = pytest.mark.long


def test_two_hours_without_a_source_end_within_the_budget_with_one_message_and_without_a_person(
    instance, run, monkeypatch
):
    calls, told, asked, published = [], [], [], []
    contract = DashboardContract("dash", "team:shop")
    source = Source("shop_api", tuple(STREAMS), owner="team:shop", budget=Budget(12))

    def stream_of(name):
        @dg.asset(name=name, owners=["team:shop"])
        def stream() -> None:
            calls.append(dt.datetime.now(dt.UTC))
            if calls[-1] < START + OUTAGE:
                raise ConnectionResetError("connection reset by peer")

        return stream

    dash = trusted_dashboard(contract, lambda *_: published.append(dt.datetime.now(dt.UTC)), deps=STREAMS)

    def look(instance, verdicts):
        told.extend((dt.datetime.now(dt.UTC), one) for one in tell(instance, verdicts, {"dash": contract}, {}))

    sensor = readiness_sensor(dash, evaluated=look)
    defs = trust(dg.Definitions([*map(stream_of, STREAMS), dash], sensors=[sensor]), sources=[source])
    cursor = None

    def tick():
        nonlocal cursor
        context = dg.build_sensor_context(
            instance=instance, cursor=cursor, repository_def=defs.get_repository_def(), sensor_name=sensor.name
        )
        answer = sensor.evaluate_tick(context)
        cursor = answer.cursor
        return answer.run_requests

    with time_machine.travel(START, tick=False) as clock:

        def sleep(seconds):
            """While a step waits, the daemon looks."""
            clock.shift(dt.timedelta(seconds=max(seconds, 0.001)))  # a float of now rounds
            asked.extend(tick())

        monkeypatch.setattr(active, "time", SimpleNamespace(time=time.time, sleep=sleep))
        assert run(defs, *STREAMS).success
        assert len([*asked, *tick()]) == 1
        assert run(defs, "dash").success
        clock.shift(dt.timedelta(minutes=11))
        assert tick() == []

    during = [call for call in calls if call < START + OUTAGE]
    assert len(calls) - len(during) == len(STREAMS)
    assert len(during) <= 2 * 12
    assert len(during) > 5  # it did look whether it was back
    assert [(str(one.notice.kind), one.notice.owner) for _, one in told] == [
        ("held", "team:shop"),
        ("resolved", "team:shop"),
    ]
    assert "transient failure of shop_api" in told[0][1].body
    assert published
    assert published[0] <= START + OUTAGE + dt.timedelta(minutes=20)
    assert read_outage(instance, "shop_api").since is None
