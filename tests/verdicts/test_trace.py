from __future__ import annotations

from collections import Counter

import pytest
from generated_cases import findings, fixed_findings
from hypothesis import HealthCheck, given, settings

from dashboard_trust.contracts.model import Input, Requirement
from dashboard_trust.verdicts.trace import FOLLOWS, separate_causes
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


def above(asset, requirements):
    """Every asset upstream of one, but itself."""
    direct = {asked.asset for r in requirements if r.asset == asset for asked in r.inputs} - {asset}
    return direct.union(*(above(other, requirements) for other in direct))


def loses_none_and_doubles_none(requirements, found):
    causes, consequences = separate_causes(requirements, found)

    assert Counter([*causes, *consequences]) == Counter(found)
    assert [f for f in found if f in causes] == [*causes]
    assert [f for f in found if f in consequences] == [*consequences]


def gives_each_consequence_a_finding_upstream_that_holds(requirements, found):
    _, consequences = separate_causes(requirements, found)
    for finding in consequences:
        upstream = [f for f in found if f.asset in above(finding.asset, requirements) and f.outcome.holds]
        assert finding.outcome in FOLLOWS
        assert any(f.blocks for f in upstream) or (upstream and not finding.blocks)


def leaves_no_cause_with_such_a_finding_upstream(requirements, found):
    causes, _ = separate_causes(requirements, found)
    for finding in (f for f in causes if f.outcome in FOLLOWS):
        upstream = [f for f in found if f.asset in above(finding.asset, requirements) and f.outcome.holds]
        assert not any(f.blocks or not finding.blocks for f in upstream)


def traces_each_consequence_to_a_cause(requirements, found):
    """So that wherever something holds there is a cause, and wherever something that blocks, one that blocks."""
    causes, consequences = separate_causes(requirements, found)
    for finding in consequences:
        upstream = [f for f in causes if f.asset in above(finding.asset, requirements) and f.outcome.holds]
        assert any(f.blocks or not finding.blocks for f in upstream)
    for those in (found, [f for f in found if f.blocks]):
        assert any(f.outcome.holds for f in those) <= any(f.outcome.holds for f in those if f in causes)


LAWS = (
    loses_none_and_doubles_none,
    gives_each_consequence_a_finding_upstream_that_holds,
    leaves_no_cause_with_such_a_finding_upstream,
    traces_each_consequence_to_a_cause,
)
each_law = pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)


@each_law
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=findings())
def test_separating_causes_of_what_is_drawn(law, drawn):
    law(*drawn)


@each_law
def test_separating_causes_of_the_fixed_findings(law):
    for requirements, found in fixed_findings(2000):
        law(requirements, found)


def test_the_fixed_findings_have_causes_and_consequences_that_block_and_that_do_not():
    seen = Counter()
    for requirements, found in fixed_findings(2000):
        causes, consequences = separate_causes(requirements, found)
        seen.update(("cause", f.blocks) for f in causes if f.outcome.holds)
        seen.update(("consequence", f.blocks) for f in consequences)

    assert min(seen[kind, blocks] for kind in ("cause", "consequence") for blocks in (True, False)) > 100


@pytest.mark.parametrize("length", [400, 3000])  # the second is longer than Python may call into itself
def test_a_long_chain_is_traced_to_its_beginning(length):
    names = [f"a{n}" for n in range(length)]
    chain = [
        Requirement(name, None, "o", inputs=(Input(above, (None,)),) if above else ())
        for name, above in zip(names, [None, *names], strict=False)
    ]
    first, last = finding(names[0], Outcome.FAILED), finding(names[-1], Outcome.OUTDATED)

    assert separate_causes(chain[::-1], [last, first]) == ((first,), (last,))
