"""A connector that we did not write: airbyte-source-faker in an environment of its own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airbyte_shop import Shop
from faulty_airbyte import faulty_airbyte

from dashboard_trust.ingestion.connections import Connection, Stream, Workspace
from dashboard_trust.verdicts.verdict import Readiness

PATIENCE = timedelta(minutes=3)


@pytest.fixture(scope="module")
def faker(connector_program) -> str:
    return connector_program("airbyte-source-faker==7.2.1", "source-faker", "DASHBOARD_TRUST_FAKER_VENV")


@pytest.mark.faker
@pytest.mark.timeout(900)
def test_the_real_faker_is_landed_in_full(faker, land, columns, tables, tmp_path):
    config = {"count": 100, "seed": 7, "parallelism": 1, "always_updated": False}
    streams = (
        Stream("users", {}),
        Stream("products", {}, columns=("id", "make", "year", "price", "created_at")),
    )
    connection = Connection("c-faker", "faker", (faker,), config, streams, tmp_path / "landing")

    assert land(connection, PATIENCE) == {"users": 100, "products": 100}
    first = tables()
    land(connection, PATIENCE)

    assert list(columns("raw.products")) == ["id", "make", "year", "price", "created_at"]
    assert columns("raw.users")["id"] == "BIGINT"
    assert columns("raw.users")["address"] == "JSON"
    # Its users carry the time of the read; the selected columns of its products do not.
    assert tables()["raw.products"] == first["raw.products"]


@pytest.mark.faker
@pytest.mark.timeout(900)
def test_the_real_faker_is_believed_by_its_evidence_and_held_where_it_breaks(
    faker, run, instance, warehouse, tmp_path, monkeypatch
):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    config = {"count": 100, "seed": 7, "parallelism": 1, "always_updated": False}
    connection = Connection("c-faker", "faker", (faker,), config, (Stream("users", {}),), tmp_path / "landing")
    with faulty_airbyte(Workspace("w", (connection,))) as airbyte:
        shop = Shop(run, instance, warehouse, connection, airbyte)
        shop.patience(sync=PATIENCE)
        assert shop.sync().success
        assert shop.verdict().readiness is Readiness.READY

        config["count"] = 0  # which it does not take
        assert not shop.sync().success

    (finding,) = shop.verdict().findings
    assert "connection 'faker', stream 'users': not loaded" in finding.reason
    assert "is less than the minimum of 1 (connector exit code 1)" in finding.reason
