"""Every planted error is found where it is, on every engine; nothing else is, and nothing on the clean twin."""

from __future__ import annotations

import dataclasses
import re

import pytest
from dirty_data import ANY, ERRORED, ERRORS, NOW, RULES, open_shop
from rule_engines import found, written

from dashboard_trust.checks.evaluate import check_table
from dashboard_trust.checks.known import Known

SECRETS = re.compile(r"O-\d|person\.|@example|M\u00fcnchen|999999|1\.005")


def reported(report):
    """What is not as it should be, by check and part."""
    wrong = {}
    for outcome in report.outcomes:
        if outcome.error:
            wrong[outcome.rule.check] = ERRORED
        elif parts := {part: one[1] for part, one in found(outcome).items() if not one[0]}:
            wrong[outcome.rule.check] = parts
    return wrong


def without_any(wanted, report):
    """What was reported, without the measures that may be any."""
    return {
        check: {part: ANY if _may_be_any(wanted, check, part) else one for part, one in parts.items()}
        if parts != ERRORED
        else ERRORED
        for check, parts in report.items()
    }


def _may_be_any(wanted, check, part):
    return isinstance(wanted.get(check), dict) and wanted[check].get(part) is ANY


def test_nothing_is_wrong_with_the_clean_twin(engines):
    shop = open_shop()

    for engine, report in engines.look(shop.tables, RULES, known=Known(NOW)).items():
        assert reported(report) == {}, engine
        assert len(report.accepted) == 35, engine


@pytest.mark.parametrize("error", ERRORS)
def test_a_planted_error_is_found_where_it_is_and_nothing_else(engines, error):
    shop = open_shop()
    wanted = ERRORS[error](shop)

    for engine, report in engines.look(shop.tables, RULES, known=Known(NOW)).items():
        assert without_any(wanted, reported(report)) == wanted, engine
        said = " ".join(outcome.reason for outcome in report.outcomes)
        assert not SECRETS.search(said), f"{engine}: {said}"


def test_keys_are_said_only_where_somebody_asked_for_them(session):
    shop = open_shop()
    for spoil in ("third_digit_after_the_point", "key_again_on_another_day", "customers_unknown"):
        ERRORS[spoil](shop)

    with written(session, shop.tables):
        silent = check_table(session, RULES, known=Known(NOW))
        asked = check_table(session, dataclasses.replace(RULES, sample_failures=2), known=Known(NOW))

    assert not any(outcome.sample for outcome in silent.outcomes)
    samples = {outcome.rule.check: outcome.sample for outcome in asked.outcomes if outcome.sample}
    bad = [row["order_id"] for row in shop.on() if row["amount_text"] == "1.005"]
    assert set(samples["fits_amount_text"]) < {f"order_id={key}" for key in bad}
    assert len(samples["fits_amount_text"]) == 2
    assert samples["unique_order_id"] == (f"order_id={shop.on()[0]['order_id']}",)
    assert len(samples["references_customer_id_shop_customers"]) == 2
