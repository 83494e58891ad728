"""Sources and minimums in a contract's YAML, and what of them is refused, with the line."""

from __future__ import annotations

import datetime as dt

import pytest

from dashboard_trust.contracts.sources import Source
from dashboard_trust.contracts.yaml import parse_contracts
from dashboard_trust.errors import ContractError
from dashboard_trust.failures.policy import Budget, Retries

HEAD = "key: dash\nowner: team:dash\n"
FULL = """\
sources:
  - key: shop_api
    assets: [raw/payments, raw/refunds]
    owner: team:shop
    owners: {permission: team:platform}
    budget: {calls: 6, per_hours: 0.5}
    policies:
      transient: {limit: 10, first_pause_minutes: 1, longest_pause_minutes: 5, give_up_after_hours: 3}
      unknown: stop
  - {key: files, assets: [raw/rates], policies: {transient: {}, contract: ask}}
sections:
  - {key: feeds, title: Feeds, assets: [raw/payments, raw/refunds, raw/rates], at_least: 2}
"""


def test_a_source_is_read_with_everything_it_may_say():
    (contract,) = parse_contracts(HEAD + FULL)
    minutes = dt.timedelta(minutes=1)
    retries = Retries(10, minutes, 5 * minutes, 180 * minutes)

    assert contract.sources == (
        Source(
            "shop_api",
            ("raw/payments", "raw/refunds"),
            "team:shop",
            {"permission": "team:platform"},
            Budget(6, 30 * minutes),
            {"transient": retries, "unknown": "stop"},
        ),
        Source("files", ("raw/rates",), policies={"transient": Retries(), "contract": "ask"}),
    )
    assert contract.sections[0].at_least == 2


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("sources: [{key: a}]", "line 3: .*has no 'assets'"),
        ("sources: [{key: a, assets: []}]", "names no asset"),
        ("sources: [{key: a, assets: [x], budget: {calls: 0}}]", "line 3: .*'0' is not a number"),
        ("sources: [{key: a, assets: [x], budget: {per_hours: 1}}]", "has no 'calls'"),
        ("sources: [{key: a, assets: [x], owners: {volume: team:x}}]", "'volume' is no failure class"),
        ("sources: [{key: a, assets: [x], owners: {data: somebody}}]", "neither an e-mail address"),
        ("sources: [{key: a, assets: [x], policies: {data: {limit: 2}}}]", "line 3: .*never tried again"),
        ("sources: [{key: a, assets: [x], policies: {unknown: often}}]", "'often' is neither stop nor ask"),
        ("sources: [{key: a, assets: [x], policies: {transient: {limits: 2}}}]", "did you mean 'limit'"),
        ("sources: [{key: a, assets: [x], policies: {transient: {first_pause_minutes: 60}}}]", "no longer than"),
        ("sources: [{key: a, assets: [x]}, {key: a, assets: [y]}]", "names a source twice"),
        ("sections: [{key: a, title: A, assets: [x], at_least: 2}]", "line 3: .*at_least is 2, of 1 assets"),
        ("sections: [{key: a, title: A, assets: [x], at_least: few}]", "'few' is not a number of assets"),
        ("late_inputs: perhaps", "'perhaps' is not one of rerun, propose"),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_line(said, message):
    with pytest.raises(ContractError, match=message):
        parse_contracts(HEAD + said)
