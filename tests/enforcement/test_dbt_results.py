"""What follows from dbt's own words, without running dbt."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import dagster as dg
import pytest

from dashboard_trust.enforcement.dbt_results import DbtResult, by_partition, read_results, worst
from dashboard_trust.enforcement.dbt_run import same_options
from dashboard_trust.enforcement.dbt_skips import find_skipped
from dashboard_trust.errors import DashboardTrustError

DAYS = ("2024-03-01", "2024-03-02")


def said(status: str, message: str = "", failures: int | None = None) -> DbtResult:
    return DbtResult("test.shop.unique_orders.a1", status, message, failures)


def statuses(found) -> dict[str | None, tuple[bool, bool]]:
    return {key: (result.passed, result.warns) for key, result in found.items()}


PASSED, WARNED, FAILED = (True, False), (False, True), (False, False)


@pytest.mark.parametrize("status", ["error", "skipped", "runtime error", "a word of tomorrow"])
def test_what_is_no_answer_never_counts_as_one(status):
    assert worst([said(status)]) is None
    assert worst([said("pass"), said(status)]) is None
    assert worst([said("warn"), said(status)]) is None
    assert worst([said("fail"), said(status)]) == said("fail")


def test_a_test_without_a_result_is_no_answer():
    assert worst([None]) is None
    assert worst([said("pass"), None]) is None
    assert worst([]) is None


def test_of_tests_of_one_name_the_worst_counts():
    assert worst([said("pass"), said("warn")]) == said("warn")
    assert worst([said("fail"), said("warn")]) == said("fail")


def test_a_failure_counts_for_every_partition_that_was_not_asked_alone():
    assert statuses(by_partition(said("fail"), {}, DAYS)) == dict.fromkeys(DAYS, FAILED)
    assert statuses(by_partition(said("warn"), {}, [None])) == {None: WARNED}


def test_a_partition_that_passes_alone_has_passed():
    alone = {DAYS[0]: said("pass"), DAYS[1]: said("fail")}

    assert statuses(by_partition(said("fail"), alone, DAYS)) == {DAYS[0]: PASSED, DAYS[1]: FAILED}


def test_what_no_partition_shows_alone_is_wrong_with_all_of_them():
    alone = dict.fromkeys(DAYS, said("pass"))

    assert statuses(by_partition(said("fail"), alone, DAYS)) == dict.fromkeys(DAYS, FAILED)


@pytest.mark.parametrize(
    ("together", "first", "second", "found"),
    [
        # An id twice within the second day, and another one in both: neither day is well.
        (said("fail", failures=2), said("pass", failures=0), said("fail", failures=1), [FAILED, FAILED]),
        (said("warn", failures=2), said("pass", failures=0), said("fail", failures=1), [WARNED, FAILED]),
        (said("fail", failures=9), said("pass", failures=3), said("fail", failures=4), [FAILED, FAILED]),
        (said("fail", failures=1), said("pass", failures=0), said("fail", failures=1), [PASSED, FAILED]),
        (said("fail", failures=1), said("pass", failures=0), said("fail", failures=2), [PASSED, FAILED]),
        (said("pass", failures=2), said("pass", failures=0), said("pass", failures=1), [PASSED, PASSED]),
        (said("fail"), said("pass", failures=0), said("fail", failures=1), [PASSED, FAILED]),
        (said("fail", failures=2), said("pass"), said("fail", failures=1), [PASSED, FAILED]),
    ],
)
def test_more_failures_together_than_alone_are_of_all_partitions(together, first, second, found):
    alone = dict(zip(DAYS, (first, second), strict=True))

    assert statuses(by_partition(together, alone, DAYS)) == dict(zip(DAYS, found, strict=True))


@pytest.mark.parametrize("odd", [None, said("error"), said("skipped")])
def test_a_look_at_one_partition_that_came_to_nothing_does_not_clear_it(odd):
    alone = {DAYS[0]: said("pass"), DAYS[1]: odd}

    assert statuses(by_partition(said("fail"), alone, DAYS)) == {DAYS[0]: PASSED, DAYS[1]: FAILED}


class Ended:
    """A dbt process that has ended, and the folder it wrote into."""

    def __init__(self, folder, code: int, left: str | None) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", f"raise SystemExit({code})"])
        self.artifact = folder / "run_results.json"
        if left is not None:
            self.artifact.write_text(left)

    def get_artifact(self, name):
        return json.loads(self.artifact.read_text())

    def get_error(self):
        return RuntimeError("dbt said no")


GOOD = json.dumps({"results": [{"unique_id": "test.shop.a.1", "status": "pass", "message": None, "failures": 0}]})


@pytest.mark.parametrize(("code", "left"), [(2, GOOD), (-9, GOOD), (0, None), (1, None), (1, '{"results": [')])
def test_a_dbt_that_broke_off_has_said_nothing(tmp_path, code, left):
    with pytest.raises(DashboardTrustError, match="nothing is known: dbt said no"):
        read_results(Ended(tmp_path, code, left))


@pytest.mark.parametrize("code", [0, 1])
def test_what_dbt_said_is_read(tmp_path, code):
    assert read_results(Ended(tmp_path, code, GOOD)) == {
        "test.shop.a.1": DbtResult("test.shop.a.1", "pass", "", failures=0)
    }


@pytest.mark.parametrize(
    ("args", "same"),
    [
        (["build", "--select", "orders", "--full-refresh"], []),
        (["--profiles-dir", "p", "build", "-t", "prod", "--select", "x"], ["--profiles-dir", "p", "-t", "prod"]),
        (["build", "--profile=shop", "-tprod", "--exclude", "x"], ["--profile=shop", "-tprod"]),
        (["build", "--defer", "--state", "s", "--threads=4"], ["--defer", "--state", "s", "--threads=4"]),
    ],
)
def test_another_look_takes_the_options_that_say_which_tables_it_is_about(args, same):
    assert list(same_options(args)) == same


NODES = SimpleNamespace(
    is_table=lambda id_: id_.startswith("model."),
    key_of=lambda id_: dg.AssetKey(id_.rpartition(".")[2]),
    ancestors=lambda id_: {"model.shop.b": {"model.shop.a", "source.shop.raw"}}.get(id_, {"source.shop.raw"}),
)
A, B = dg.AssetKey("a"), dg.AssetKey("b")
CHECKS = {dg.AssetCheckKey(A, "t"): {"test.t"}, dg.AssetCheckKey(B, "u"): {"test.u"}}


def skipped(**results: str):
    ids = {"a": "model.shop.a", "b": "model.shop.b", "t": "test.t", "u": "test.u", "raw": "test.raw"}
    return find_skipped(NODES, CHECKS, {ids[name]: DbtResult(ids[name], status) for name, status in results.items()})


@pytest.mark.parametrize("results", [{"a": "error", "t": "skipped"}, {"a": "success", "t": "fail"}])
def test_what_is_skipped_below_a_shown_failure_follows_from_it(results):
    found = skipped(**results, b="skipped", u="skipped")

    assert found.following == {B: frozenset()} | ({A: {"t"}} if results["t"] == "skipped" else {})
    assert found.unexplained == ()


def test_what_is_skipped_for_something_that_no_check_shows_is_not_excused():
    found = skipped(raw="fail", a="skipped", t="skipped", b="skipped", u="skipped")

    assert found.following == {}
    assert found.unexplained == ("a", "b")


def test_a_model_skipped_by_its_own_test_is_its_own_cause():
    found = skipped(a="success", t="pass", u="fail", b="skipped")

    assert found.following == {}
    assert found.unexplained == ("b",)


def test_a_failure_that_no_partition_shows_as_bad_alone_is_all_of_theirs():
    """Thresholds count rows: what is two failures together is one, a warning, of each day."""
    first, second = DAYS

    for alone in ({first: said("warn"), second: said("warn")}, {first: said("warn"), second: said("pass")}):
        assert statuses(by_partition(said("fail"), alone, DAYS)) == {first: FAILED, second: FAILED}
    assert statuses(by_partition(said("warn"), {first: said("pass"), second: said("pass")}, DAYS)) == {
        first: WARNED,
        second: WARNED,
    }
