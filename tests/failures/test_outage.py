"""What steps that share a source do while it does not answer, over hours that pass at once."""

from __future__ import annotations

import datetime as dt
import heapq
import random
from dataclasses import dataclass, field

import pytest

from dashboard_trust.failures.outage import Caller, Outage
from dashboard_trust.failures.policy import Budget, Retries

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SECOND, MINUTE, HOUR = dt.timedelta(seconds=1), dt.timedelta(minutes=1), dt.timedelta(hours=1)
BUDGET, RETRIES = Budget(), Retries()


@dataclass
class World:
    """Steps that begin within some minutes and call a source that is out for a while; a call takes seconds.

    ``calls`` are those made, ``done`` when each step was through, ``given_up`` those that were not.
    """

    seed: int
    steps: int
    out_from: dt.datetime = START
    out_for: dt.timedelta = 2 * HOUR
    budget: Budget = BUDGET
    retries: Retries = RETRIES
    begin_within: dt.timedelta = 10 * MINUTE
    dies: float = 0.0
    never_answered: frozenset = frozenset()
    asks_for: dt.timedelta = dt.timedelta()
    calls: list = field(default_factory=list)
    done: dict = field(default_factory=dict)
    given_up: set = field(default_factory=set)
    dead: set = field(default_factory=set)
    text: str = ""

    def run(self):
        draw, number = random.Random(self.seed), iter(range(10**9))
        events = [(START + draw.random() * self.begin_within, next(number), who, None) for who in range(self.steps)]
        heapq.heapify(events)
        while events:
            now, _, who, began = heapq.heappop(events)
            again = self.end_call(str(who), began, now, draw) if began else self.begin_call(str(who), now, draw)
            if again is not None:
                heapq.heappush(events, (again[0], next(number), who, again[1]))
        return self

    def begin_call(self, who, now, draw):
        at, caller, known = Outage.parse(self.text).ask(who, self.budget, self.retries, now)
        self.text = known.dump()
        if at is not None:
            at += draw.random() * self.retries.first_pause
            return self.wait(who, caller, at)
        self.calls.append(now)
        if draw.random() < self.dies:
            self.dead.add(who)
            return None
        return now + draw.random() * 20 * SECOND, now

    def end_call(self, who, began, now, draw):
        known = Outage.parse(self.text)
        if not self.out_from <= began < self.out_from + self.out_for and who not in self.never_answered:
            self.text, self.done[who] = known.answer(began, self.retries).dump(), now
            return None
        options = {"budget": self.budget, "retries": self.retries, "draw": draw.random(), "at_least": self.asks_for}
        at, caller, after = known.fail(who, began, now, **options)
        self.text = after.dump()
        return self.wait(who, caller, at)

    def wait(self, who, caller, at):
        if caller.calls >= self.retries.limit or at - caller.since > self.retries.give_up_after:
            self.given_up.add(who)
            return None
        return at, None

    def most_within(self, length):
        return max(sum(begin <= call < begin + length for call in self.calls) for begin in self.calls)

    @property
    def end(self):
        return self.out_from + self.out_for


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("steps", [1, 7, 60])
def test_two_hours_are_over_within_the_budget_and_everybody_is_through(seed, steps):
    world = World(seed, steps).run()
    known_at = min(world.calls) + 20 * SECOND  # who called before the first had failed could not know
    later = [call for call in world.calls if known_at <= call < world.end]
    longest = RETRIES.longest_pause * 1.25 + RETRIES.first_pause + 20 * SECOND

    assert len(later) <= 2 * BUDGET.calls
    assert all(sum(begin <= call < begin + HOUR for call in later) <= BUDGET.calls for begin in later)
    assert (len(world.done), world.given_up) == (steps, set())
    assert max(world.done.values()) <= world.end + 2 * longest
    assert Outage.parse(world.text).since is None


@pytest.mark.parametrize("seed", range(10))
def test_a_budget_that_is_smaller_than_the_pauses_allow_is_kept(seed):
    world = World(seed, 20, budget=Budget(2), begin_within=SECOND).run()
    later = [call for call in world.calls if START + 20 * SECOND <= call < world.end]

    assert len(later) <= 4
    assert len(world.done) == 20


@pytest.mark.parametrize("seed", range(10))
def test_those_that_die_while_they_call_hold_nobody_up_for_longer_than_a_pause(seed):
    world = World(seed, 40, dies=0.3).run()

    assert len(world.done) + len(world.dead) == 40
    assert max(world.done.values()) <= world.end + (len(world.dead) + 2) * 2 * RETRIES.longest_pause


def test_an_outage_longer_than_anybody_waits_is_given_up_and_not_called_on():
    world = World(1, 30, out_for=100 * HOUR).run()

    assert len(world.given_up) == 30
    assert max(world.calls) <= START + RETRIES.give_up_after + HOUR
    assert len(world.calls) <= 30 + 6 * BUDGET.calls


@pytest.mark.parametrize("seed", range(5))
def test_a_source_that_answers_is_never_limited(seed):
    world = World(seed, 500, out_for=0 * HOUR, begin_within=MINUTE).run()

    assert len(world.calls) == len(world.done) == 500


def test_an_outage_that_nobody_has_seen_for_long_limits_nobody():
    _, _, known = Outage().fail("a", START, START, budget=BUDGET, retries=RETRIES, draw=0.5)
    now = START + 5 * HOUR  # nobody had asked while they might have, for longer than the budget's hour
    at, _, known = known.ask("b", BUDGET, RETRIES, now)
    other, _, known = known.ask("c", BUDGET, RETRIES, now)

    assert (at, other) == (None, None)
    assert known.callers["a"].calls == 1  # who comes back has not forgotten how often it called


def test_a_caller_with_long_pauses_reaches_its_limit_all_the_same():
    retries = Retries(limit=3, first_pause=2 * HOUR, longest_pause=2 * HOUR, give_up_after=100 * HOUR)
    world = World(1, 1, out_for=1000 * HOUR, retries=retries).run()

    assert len(world.calls) == 3
    assert world.given_up == {"0"}


def test_one_that_began_before_the_last_failure_and_succeeds_does_not_end_the_outage():
    _, _, known = Outage().fail("a", START, START + SECOND, budget=BUDGET, retries=RETRIES, draw=0)

    assert known.answer(START, RETRIES) == known
    assert known.answer(START + SECOND, RETRIES).since is None


def test_an_answer_to_others_does_not_let_one_that_never_gets_any_go_on_for_ever():
    """Others begin all the time and are answered: who is not has its own pauses, and its own limit."""
    world = World(1, 400, out_for=0 * HOUR, begin_within=8 * HOUR, never_answered={"0"}).run()

    assert world.given_up == {"0"}
    assert len(world.done) == 399
    assert len(world.calls) - 399 <= RETRIES.limit


@pytest.mark.parametrize("seed", range(5))
def test_a_source_that_asks_to_be_left_alone_for_longer_than_the_budgets_time_is_not_stormed_then(seed):
    retries = Retries(give_up_after=100 * HOUR)
    world = World(seed, 60, out_for=9 * HOUR, begin_within=SECOND, retries=retries, asks_for=2 * HOUR).run()
    later = [call for call in world.calls if START + 21 * SECOND <= call < world.end]

    assert all(sum(begin <= call < begin + HOUR for call in later) <= 1 for begin in later)
    assert len(world.done) == 60


def test_callers_are_forgotten_when_none_of_them_goes_on_any_more():
    _, _, known = Outage().fail("a", START, START + SECOND, budget=BUDGET, retries=RETRIES, draw=0)

    assert known.answer(START + RETRIES.give_up_after, RETRIES).callers == known.callers
    assert known.answer(START + RETRIES.give_up_after + SECOND, RETRIES) == Outage()


def test_calls_under_way_together_are_one_round():
    known = Outage()
    for n in range(50):
        _, _, known = known.fail(str(n), START, START + (n + 1) * SECOND, budget=Budget(100), retries=RETRIES, draw=0.5)

    assert known.round == 1
    assert known.next_at == START + 50 * SECOND + RETRIES.first_pause


def test_what_is_known_comes_back_as_it_was_kept():
    _, _, known = Outage().fail("a", START, START + SECOND, budget=BUDGET, retries=RETRIES, draw=0.3)

    assert Outage.parse(known.dump()) == known
    assert known.callers["a"] == Caller(START, 1)


@pytest.mark.parametrize("text", [None, "", "x", "[]", "{}", '{"since": 1}', '{"callers": {}, "since": "x"}'])
def test_what_cannot_be_read_is_no_outage(text):
    assert Outage.parse(text) == Outage()


def test_pauses_double_up_to_the_longest_and_are_spread():
    assert [RETRIES.pause(n, 0.5) for n in (1, 2, 3, 6, 7, 10_000)] == [
        30 * SECOND,
        MINUTE,
        2 * MINUTE,
        15 * MINUTE,
        15 * MINUTE,
        15 * MINUTE,
    ]
    assert (RETRIES.pause(1, 0), RETRIES.pause(1, 1)) == (22.5 * SECOND, 37.5 * SECOND)
