"""What dbt says in ``run_results.json``, and what follows for each check and partition."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dashboard_trust.enforcement.evaluations import PartitionResult
from dashboard_trust.errors import DashboardTrustError

if TYPE_CHECKING:
    from dagster_dbt import DbtCliInvocation

ANSWERS = ("pass", "warn", "fail")
BROKEN = ("error", "runtime error", "partial success")


@dataclass(frozen=True, slots=True)
class DbtResult:
    """What became of one node: dbt's own status, its message in one line, and the rows that failed."""

    unique_id: str
    status: str
    message: str = ""
    failures: int | None = None

    @property
    def name(self) -> str:
        """The node's name, without its project and hash."""
        return self.unique_id.split(".")[2] if self.unique_id.count(".") > 1 else self.unique_id


DbtResults = Mapping[str, DbtResult]
"""Results by dbt's unique id."""


def read_results(invocation: DbtCliInvocation) -> dict[str, DbtResult]:
    """Read what an invocation that has ended said of each node; raise as `read_artifact` does."""
    return {result["unique_id"]: _parse(result) for result in read_artifact(invocation, "run_results.json")["results"]}


def read_artifact(invocation: DbtCliInvocation, name: Literal["run_results.json", "sources.json"]) -> dict[str, Any]:
    """Read a file that an invocation left when it ended, in a folder of its own: it is of no earlier one.

    Raises:
        DashboardTrustError: It broke off, so that nothing is known.
    """
    code = invocation.process.wait()
    try:
        said = invocation.get_artifact(name) if code in (0, 1) else None
    except (OSError, ValueError):
        said = None
    if said is None:
        error = " ".join(str(invocation.get_error() or "").split())
        raise DashboardTrustError(f"dbt ended with exit code {code} and without {name}, so nothing is known: {error}")
    return said


def _parse(result: Mapping[str, Any]) -> DbtResult:
    message = " ".join(str(result.get("message") or "").split())
    return DbtResult(result["unique_id"], str(result["status"]), message, result.get("failures"))


def worst(results: Iterable[DbtResult | None]) -> DbtResult | None:
    """Return what several tests of one name come to; None where one of them has no answer, and none failed."""
    found = list(results)
    answers = [result for result in found if result is not None and result.status in ANSWERS]
    newest = max(answers, key=lambda result: ANSWERS.index(result.status), default=None)
    complete = len(answers) == len(found) or (newest is not None and newest.status == "fail")
    return newest if complete else None


def by_partition(
    together: DbtResult, alone: Mapping[str, DbtResult | None], keys: Sequence[str | None]
) -> dict[str | None, PartitionResult]:
    """Return what a test says of each partition of a run.

    Args:
        together: What it said of all of them at once.
        alone: What it said of each one, where it was asked.
        keys: The partitions of the run (None: there are none).
    """
    answers = {key: alone.get(key) if key is not None else None for key in keys}
    found = {key: answer if answer and answer.status in ANSWERS else together for key, answer in answers.items()}
    if all(_severity(answer) < _severity(together) for answer in found.values()) or _hides(together, answers.values()):
        # What no partition shows alone (an id in two of them) is wrong with all of them together.
        found = {key: max(together, answer, key=_severity) for key, answer in found.items()}
    return {key: result_of(answer) for key, answer in found.items()}


def _severity(answer: DbtResult) -> int:
    return ANSWERS.index(answer.status)


def _hides(together: DbtResult, alone: Collection[DbtResult | None]) -> bool:
    """Return whether more rows fail together than do alone, where all of them are known."""
    counts = [one.failures if one is not None and one.status in ANSWERS else None for one in alone]
    known = [count for count in counts if count is not None]
    return together.failures is not None and len(known) == len(counts) and sum(known) < together.failures


def result_of(answer: DbtResult) -> PartitionResult:
    """Return what an answer comes to as the result of a check."""
    metadata: dict[str, Any] = {"status": answer.status, "unique_id": answer.unique_id}
    if answer.failures is not None:
        metadata["dagster_dbt/failed_row_count"] = answer.failures
    passed, warns = answer.status == "pass", answer.status == "warn"
    return PartitionResult(passed, answer.message, warns=warns, metadata=metadata)
