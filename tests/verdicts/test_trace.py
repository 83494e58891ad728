from __future__ import annotations

from dashboard_trust.contracts.model import Input, Requirement
from dashboard_trust.verdicts.trace import separate_causes
from dashboard_trust.verdicts.verdict import Finding, Outcome

RAW = Requirement("raw", None, "o")
STAGING = Requirement("staging", "d", "o", inputs=(Input("raw", (None,)),))
MART = Requirement("mart", "d", "o", inputs=(Input("staging", ("d",)),))
CHAIN = (RAW, STAGING, MART)


def finding(asset, outcome, blocks=True, check=None):
    return Finding(asset, None, check, outcome, "", "o", blocks=blocks)


def test_what_is_wrong_in_itself_never_only_follows():
    wrong = [finding("raw", Outcome.FAILED), finding("mart", Outcome.FAILED), finding("mart", Outcome.ERRORED)]

    assert separate_causes(CHAIN, wrong) == (tuple(wrong), ())


def test_what_waits_for_something_further_up_follows_from_it():
    cause, waiting = finding("raw", Outcome.FAILED), finding("mart", Outcome.MISSING)

    assert separate_causes(CHAIN, [waiting, cause]) == ((cause,), (waiting,))


def test_a_warning_upstream_excuses_nothing():
    warned, missing = finding("raw", Outcome.WARNED), finding("mart", Outcome.MISSING)

    assert separate_causes(CHAIN, [warned, missing]) == ((warned, missing), ())


def test_a_labelled_cause_excuses_no_blocking_finding():
    labelled, blocking = finding("raw", Outcome.FAILED, blocks=False), finding("mart", Outcome.MISSING)

    assert separate_causes(CHAIN, [labelled, blocking]) == ((labelled, blocking), ())


def test_something_wrong_downstream_excuses_nothing_upstream():
    upstream, downstream = finding("raw", Outcome.MISSING), finding("mart", Outcome.FAILED)

    assert separate_causes(CHAIN, [upstream, downstream]) == ((upstream, downstream), ())
