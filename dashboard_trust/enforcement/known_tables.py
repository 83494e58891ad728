"""What is known of an asset's table besides its rows: volumes that may be believed, and what people accepted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

import dagster as dg
from sqlglot import exp

from dashboard_trust.checks.known import Known
from dashboard_trust.checks.volume import SUCH_DAYS, TOO_LITTLE, learns
from dashboard_trust.contracts.model import DashboardContract, Promise, Requirement
from dashboard_trust.contracts.table_rules import Columns, TableRules
from dashboard_trust.enforcement.slices import partition_slice
from dashboard_trust.errors import DashboardTrustError
from dashboard_trust.evidence.facts import Evidence
from dashboard_trust.readers.event_log import read_evidence
from dashboard_trust.verdicts.judge import judge
from dashboard_trust.verdicts.verdict import Finding, Outcome, Verdict
from dashboard_trust.warehouses.fingerprints import column_types
from dashboard_trust.warehouses.parts import count_parts
from dashboard_trust.warehouses.session import Session


def read_known(
    instance: dg.DagsterInstance,
    session: Session,
    spec: dg.AssetSpec,
    rules: TableRules,
    partitions: Sequence[str | None],
) -> Known:
    """Read what the volumes of these partitions are judged by, and which columns were accepted.

    Of a table that is told by day the other days are in it; of partitions of time it is those before, if
    everything that holds of them is satisfied or waived, with the rows they have now.
    """
    now = dt.datetime.now(dt.UTC)
    volume = [rule for rule in rules.rules if learns(rule)]
    if not volume and not any(isinstance(rule, Columns) for rule in rules.rules):
        return Known(now)
    keys = [partition for partition in partitions if partition is not None]
    before = _before(spec.partitions_def, keys, max(rule.weeks for rule in volume)) if volume else {}
    names, asset = {rule.check for rule in volume}, rules.asset
    asked: list[str | None] = [*before, *keys] if keys else [None]
    promises = {key: _promise(spec, rules, key) for key in asked}
    evidence = _for_ever(read_evidence(instance, list(promises.values()), now))
    verdicts = {key: judge(promise, evidence) for key, promise in promises.items()}
    believed = {key: start for key, start in before.items() if _is_accepted(verdicts[key], names)}
    refused = {start for key, start in before.items() if _is_refused(verdicts[key], names)}
    waived = {key for key in keys if _is_waived(verdicts[key], names)}
    if not keys:
        waived = {
            day for day in _waived_days(evidence, asset, names) if _is_waived_on(spec, rules, day, evidence, names)
        }
    return Known(now, _rows(session, spec, rules, believed), waived, refused, _schemas(evidence, asset))


def _for_ever(evidence: Evidence) -> Evidence:
    """Let waivers stand for ever: what a person accepted of a version is learned, however long it was to be shown."""
    endless = dt.datetime.max.replace(tzinfo=dt.UTC)
    words = [replace(word, until=endless) if word.kind == "waive" else word for word in evidence.words]
    return replace(evidence, words=words)


def _before(partitions: dg.PartitionsDefinition | None, keys: Sequence[str], weeks: int) -> dict[str, dt.datetime]:
    """Return the partitions of time before these that volumes are judged by, with their start in their own time.

    Those are the same hours of the week up to so many weeks before, and the newest others, as many as there are days in
    those weeks: of a table by hour not all.
    """
    if not isinstance(partitions, dg.TimeWindowPartitionsDefinition) or not keys:
        return {}
    starts = [partitions.time_window_for_partition_key(key).start for key in keys]
    window = dg.TimeWindow(min(starts) - dt.timedelta(weeks=weeks, days=1), max(starts))
    found = partitions.get_partition_keys_in_time_window(window)
    windows = {key: partitions.time_window_for_partition_key(key) for key in found if key not in keys}
    known = {key: window.start.replace(tzinfo=None) for key, window in windows.items()}
    such = {start.replace(tzinfo=None) - dt.timedelta(weeks=n) for start in starts for n in range(1, weeks + 1)}
    newest = {*list(known)[-7 * weeks :]}
    return {key: start for key, start in known.items() if start in such or key in newest}


def _promise(spec: dg.AssetSpec, rules: TableRules, partition: str | None, days: tuple[str, ...] = ()) -> Promise:
    """Return the promise that the table's own rules hold of a partition, whatever it was built from."""
    checks = tuple(rule.check for rule in rules.all_rules)
    requirement = Requirement(rules.asset, partition, owner="nobody", checks=checks, days=days)
    contract = DashboardContract(rules.asset, owner="nobody", accept_reported=True)
    return Promise(contract, partition, None, (requirement,))


def _is_accepted(verdict: Verdict, volume: Set[str]) -> bool:
    """Whether nothing is wrong with a partition but that there was too little to judge its volume by."""
    return all(
        _is_told_waived(finding, volume)
        or (finding.check in volume and TOO_LITTLE in finding.reason)
        or (finding.check not in volume and finding.outcome is Outcome.WARNED)
        for finding in verdict.findings
    )


def _is_refused(verdict: Verdict, volume: Set[str]) -> bool:
    """Whether a partition's volume was found to be no usual one."""
    wrong = (Outcome.FAILED, Outcome.WARNED)
    return any(f.outcome in wrong and f.check in volume and SUCH_DAYS in f.reason for f in verdict.findings)


def _is_waived(verdict: Verdict, volume: Set[str]) -> bool:
    return any(_is_told_waived(finding, volume) for finding in verdict.findings)


def _is_told_waived(finding: Finding, volume: Set[str]) -> bool:
    return finding.outcome is Outcome.WAIVED and finding.check in volume


def _is_waived_on(spec: dg.AssetSpec, rules: TableRules, day: str, evidence: Evidence, volume: Set[str]) -> bool:
    return _is_waived(judge(_promise(spec, rules, None, (day,)), evidence), volume)


def _waived_days(evidence: Evidence, asset: str, volume: Set[str]) -> frozenset[str]:
    """Return the days of a table whose volume was ever waived."""
    said = (word for word in evidence.words if word.kind == "waive" and word.asset == asset and word.check in volume)
    return frozenset(word.partition for word in said if word.partition is not None)


def _schemas(evidence: Evidence, asset: str) -> dict[str, str]:
    """Return who accepted which columns of a table."""
    said = (word for word in evidence.words if word.kind == "accept" and word.asset == asset)
    return {word.version: f"{word.by} ({word.at:%Y-%m-%d}, {word.reason})" for word in said}


def _rows(
    session: Session, spec: dg.AssetSpec, rules: TableRules, starts: Mapping[str, dt.datetime]
) -> dict[dt.datetime, int]:
    if not starts:
        return {}
    try:
        types = column_types(session, rules.name)
        what = partition_slice(rules.name, spec.partitions_def, list(starts), spec.metadata, types, session.dialect)
        counted = count_parts(session, rules.name, what.parts, [exp.Count(this=exp.Star())])
    except DashboardTrustError:
        return {}  # the rules cannot be looked at either, and say why
    return {starts[key]: int(rows) for key, (rows,) in counted.items()}
