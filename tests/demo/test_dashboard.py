"""What the demo says of its dashboard, to whoever opens the page and to BI tools."""

from __future__ import annotations

import datetime as dt

import dagster as dg

from dashboard_trust.demo.dashboard import KEY, announce, read_contract
from dashboard_trust.demo.home import Home
from dashboard_trust.evidence.names import CORRECTED
from dashboard_trust.site.readiness import read_readiness
from dashboard_trust.verdicts.verdict import Readiness, Verdict

SAID = "corrected on 2025-03-13 09:12 UTC because data of 2025-03-10 in raw/payments came late"


def test_a_correction_of_any_day_the_page_may_show_is_said_beside_it_and_in_the_warehouse(tmp_path, instance):
    home, contract = Home(tmp_path / "home"), read_contract()
    for day, said in (("2025-03-10", SAID), ("2025-03-14", ""), ("2025-02-01", "corrected long ago")):
        metadata = {CORRECTED: said} if said else {}
        instance.report_runless_asset_event(dg.AssetMaterialization(KEY, partition=day, metadata=metadata))
    now = dt.datetime.now(dt.UTC)
    verdicts = [Verdict(contract.key, day, Readiness.READY, now) for day in ("2025-03-10", "2025-03-14")]

    announce(home, contract, instance, verdicts[1:])  # only the newest was looked at
    assert read_readiness(home.site)[contract.key].corrections == (("2025-03-10", SAID),)
    announce(home, contract, instance, verdicts)
    with home.warehouse.connect("test") as connection:
        rows = connection.execute("SELECT partition_key, message FROM trust.readiness ORDER BY 1").fetchall()
    assert [SAID in message for _, message in rows] == [True, False]
