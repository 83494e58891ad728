"""The same evidence from Postgres as from SQLite."""

from __future__ import annotations

import json
import warnings

import dagster as dg
import pytest

D2, D3, D4, D5 = (f"2024-03-0{n}" for n in range(2, 6))


@pytest.fixture
def instance(tmp_path):
    """An instance on a real PostgreSQL server of its own."""
    with warnings.catch_warnings(action="ignore"):  # says on import where it would keep its files
        import pgserver

    server = pgserver.get_server(tmp_path / "data", cleanup_mode="delete")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg2://")
    storage = {"storage": {"postgres": {"postgres_url": url}}, "telemetry": {"enabled": False}}
    (tmp_path / "dagster.yaml").write_text(json.dumps(storage))
    try:
        with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
            yield instance
    finally:
        server.cleanup()


def test_the_chain_holds_and_publishes_on_postgres_as_on_sqlite(mini):
    assert mini.is_held("dash", day=D3)
    mini.build()
    mini.bad, mini.rows[D4] = {D4}, "changed"
    mini.run("raw")

    assert mini.is_held("staging", "mart", day=D4)
    assert mini.is_held("dash", day=D3, to=D5)
    assert mini.refreshed == [[D3, D5]]
    assert mini.findings(D4) == [("raw", "complete", "failed")]

    mini.broken = {"raw"}
    mini.run("raw")
    assert mini.judge(D2)[D2].findings[0].reason == "stream payments is not COMPLETE"

    mini.broken, mini.bad = set(), set()
    mini.run("raw")
    mini.run("staging", "mart", day=D4)
    assert mini.run("dash", day=D4).success

    mini.instance.wipe_assets([dg.AssetKey("mart")])
    assert mini.is_held("dash", day=D4)
