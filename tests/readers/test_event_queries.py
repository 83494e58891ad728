"""The statements: spelled for two dialects, and each looked up by an index."""

from __future__ import annotations

import dagster as dg
import pytest
import sqlalchemy as db
from generated_logs import NOW

from dashboard_trust.contracts.model import DashboardContract, Promise, Requirement
from dashboard_trust.readers.event_log import read_evidence
from dashboard_trust.readers.event_queries import QUERIES, spell_queries

VALUES = {
    "pairs": '[["a", "b"]]',
    "ids": "[1]",
    "quadruples": '[["a", "b", 1, 2]]',
    "assets": '["a"]',
    "partitions": '["p"]',
    "bodies": "[]",
}
CHECKS = "asset_check_executions"
VALUES |= {"runs": '["r"]', "partition": "p", "after": 0, "upto": 9, "check": "c", "label": "l"}


@pytest.mark.parametrize("name", QUERIES)
def test_every_statement_is_looked_up_by_an_index(filled_sqlite, name):
    """A table may be read from end to end only where the statement says so, and then by its own ids."""
    query = spell_queries("sqlite")[name]
    values = {key: value for key, value in VALUES.items() if key in query.compile().params}
    with filled_sqlite.event_log_storage.index_connection() as connection:
        plan = [row[3] for row in connection.execute(db.text(f"explain query plan {query}"), values)]
    tables = [line for line in plan if line.split()[1:2] in [["e"], ["c"], ["r"], ["k"], [CHECKS]]]

    assert tables
    assert [line for line in tables if line.startswith("SCAN")] == []
    assert [line for line in tables if name == "checks_between" and "rowid" not in line] == []
    assert [line for line in tables if "idx_event_type" in line or "idx_step_key" in line] == []


@pytest.mark.parametrize("name", QUERIES)
def test_every_statement_can_be_looked_up_by_an_index_on_postgres_too(postgres_home, name):
    query = spell_queries("postgresql")[name]
    values = {key: value for key, value in VALUES.items() if key in query.compile().params}
    with (
        dg.DagsterInstance.from_config(str(postgres_home)) as instance,
        instance.event_log_storage.index_connection() as connection,
    ):
        connection.execute(db.text("set enable_seqscan = off"))
        plan = [row[0] for row in connection.execute(db.text(f"explain {query}"), values)]

    assert [line for line in plan if "Seq Scan on event_logs" in line or "Seq Scan on asset_check" in line] == []


def test_a_dialect_that_is_not_known_is_refused_by_its_name():
    with pytest.raises(TypeError, match="not from mysql"):
        spell_queries("mysql")


def test_keys_cannot_end_a_statement(filled_sqlite):
    odd = """it's "odd"; drop table event_logs; -- :pairs {loaded} %s"""
    requirement = Requirement(f"a/{odd}", odd, "o", days=(odd,), checks=(odd,))
    promise = Promise(DashboardContract("dash", "o"), odd, None, (requirement,))

    evidence = read_evidence(filled_sqlite, [promise], NOW)

    assert not evidence.unreadable
    with filled_sqlite.event_log_storage.index_connection() as connection:
        assert connection.execute(db.text("select count(*) from event_logs")).scalar() is not None
