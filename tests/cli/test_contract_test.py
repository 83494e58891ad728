from __future__ import annotations

import json

import duckdb
import pytest

from dashboard_trust.cli.app import run

CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: payments
version: 1.0.0
status: active
team: {name: payments}
schema:
  - name: payments
    properties:
      - {name: id, logicalType: string, physicalType: varchar(18), primaryKey: true}
      - name: status
        logicalType: string
        quality:
          - {metric: invalidValues, arguments: {validValues: [paid]}, mustBe: 0, severity: warning, name: known}
          - {type: custom, engine: soda, implementation: x}
    quality: [{metric: rowCount, mustBeGreaterThan: 1}]
  - name: other
    properties: [{name: id}]
"""
DASHBOARD = """key: dash
owner: team:x
tables:
  - asset: raw/payments
    rules: [unique: id]
"""


@pytest.fixture
def shop(place):
    """A warehouse with one table, and the contracts of it."""
    with duckdb.connect(str(place / "shop.duckdb")) as connection:
        connection.execute("CREATE SCHEMA raw")
        connection.execute("CREATE TABLE raw.payments AS SELECT 'P' || n AS id, 'paid' AS status FROM range(3) t(n)")
    (place / "pay.yaml").write_text(CONTRACT)
    (place / "dash.yaml").write_text(DASHBOARD)
    return place


def change(sql):
    with duckdb.connect("shop.duckdb") as connection:
        connection.execute(sql)


def call(*arguments, file="pay.yaml", schema="payments"):
    named = ["--schema", schema] if schema else []
    warehouse = [] if "--warehouse" in arguments or "--home" in arguments else ["--warehouse", "duckdb://shop.duckdb"]
    return run(["contract", "test", file, "--asset", "raw/payments", *named, *warehouse, *arguments])


def test_a_table_that_keeps_it_is_0_and_what_is_not_checked_is_named(shop, capfd):
    assert call() == 0

    lines = capfd.readouterr().out.splitlines()
    assert lines[:-2] == [
        "passed    columns",
        "passed    unique_id",
        "passed    not_null_id",
        "passed    length_id",
        "passed    known",
        "passed    row_count",
    ]
    assert lines[-2].startswith("unchecked pay.yaml:15: ")
    assert "'soda'" in lines[-2]
    assert lines[-1] == "raw/payments: 6 of 6 rules pass; not checked here: 1"


def test_a_rule_that_fails_is_3_with_its_reason(shop, capfd):
    change("INSERT INTO raw.payments VALUES ('P1', 'paid')")

    assert call() == 3
    (line,) = [line for line in capfd.readouterr().out.splitlines() if line.startswith("failed")]
    assert line.startswith("failed    unique_id: 2 of 4 rows")


def test_a_rule_that_only_warns_is_said_and_is_0(shop, capfd):
    change("UPDATE raw.payments SET status = 'lost' WHERE id = 'P1'")

    assert call() == 0
    assert "warned    known: " in capfd.readouterr().out


@pytest.mark.parametrize(
    ("sql", "errored"),
    [
        ("DROP TABLE raw.payments", ["columns", "unique_id", "not_null_id", "length_id", "known", "row_count"]),
        ("ALTER TABLE raw.payments DROP id", ["unique_id", "not_null_id", "length_id"]),
    ],
)
def test_what_could_not_be_looked_at_is_errored_and_never_passes_and_one_reason_is_one_line(shop, capfd, sql, errored):
    change(sql)

    assert call() == 3
    lines = capfd.readouterr().out.splitlines()
    (line,) = (line for line in lines if line.startswith("errored   "))
    assert line.startswith(f"errored   {', '.join(errored)}: ")
    assert f" {len(errored)} errored" in lines[-1]
    assert not any(line.startswith("passed ") and name in line for line in lines for name in errored)


def test_json_has_every_rule(shop, capfd):
    change("INSERT INTO raw.payments VALUES ('P1', 'lost')")

    assert call("--json") == 3
    told = json.loads(capfd.readouterr().out)
    assert {rule["rule"]: rule["outcome"] for rule in told["rules"]} == {
        "columns": "passed",
        "unique_id": "failed",
        "not_null_id": "passed",
        "length_id": "passed",
        "known": "warned",
        "row_count": "passed",
    }
    assert {rule["owner"] for rule in told["rules"]} == {"team:payments"}
    assert [one["pointer"] for one in told["unchecked"]] == ["/schema/0/properties/1/quality/1"]


def test_the_contract_of_a_dashboard_is_tested_alike(shop, capfd):
    assert call(file="dash.yaml", schema="") == 0
    assert "passed    unique_id" in capfd.readouterr().out
    change("CREATE TABLE raw.pay_2 AS SELECT 1 AS id FROM range(2)")
    assert call("--table", "raw.pay_2", file="dash.yaml", schema="") == 3


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        ((), {"file": "nowhere.yaml"}, "there is no such contract file"),
        ((), {"schema": ""}, "it has 2 tables, name one of them as schema: payments, other"),
        ((), {"schema": "payment"}, "did you mean 'payments'?"),
        ((), {"file": "dash.yaml"}, "--schema is a table of a data contract"),
        (("--asset", "raw/refunds"), {"file": "dash.yaml", "schema": ""}, "has no rules of 'raw/refunds'"),
        (("--warehouse", "duckdb://nowhere.duckdb"), {}, "There is no DuckDB file"),
        (("--warehouse", "duckdb:///shop.duckdb"), {}, "of the one in this folder write duckdb://shop.duckdb"),
        (("--warehouse", "mysql://me:s3cret@host"), {}, "'mysql' is no engine"),
        (("--home", "nowhere"), {}, "There is no DuckDB file nowhere/warehouse.duckdb"),
        (("--home", "x", "--warehouse", "duckdb://shop.duckdb"), {}, "not both"),
    ],
)
def test_bad_input_is_one_message_and_2(shop, capfd, arguments, options, said):
    assert call(*arguments, **options) == 2

    told = capfd.readouterr()
    assert told.out == ""
    assert said in told.err
    assert "s3cret" not in told.err
    assert len(told.err.splitlines()) == 1


def test_when_a_load_is_due_is_named_as_not_checked_here(shop, capfd):
    (shop / "pay.yaml").write_text(CONTRACT + "slaProperties: [{property: frequency, value: 1, unit: d}]\n")

    assert call() == 0
    due = "unchecked pay.yaml:19: /slaProperties/0: a load is due within 1 day, which a dashboard's gate checks"
    assert due in capfd.readouterr().out.splitlines()


def test_what_is_not_checked_of_another_table_is_not_said(shop, capfd):
    change("CREATE TABLE raw.other AS SELECT 1 AS id")

    assert call("--table", "raw.other", schema="other") == 0
    assert "unchecked" not in capfd.readouterr().out


def test_what_a_data_contract_asks_in_vain_is_said_also_from_the_dashboard_that_uses_it(shop, capfd):
    (shop / "dash.yaml").write_text(
        "key: dash\nowner: team:x\nfreshness: {raw/payments: {fail_after_hours: 26}}\n"
        "tables: [{asset: raw/payments, data_contract: pay.yaml, schema: payments}]\n"
    )

    assert call(file="dash.yaml", schema="") == 0
    said = capfd.readouterr().out.splitlines()
    assert said[-3].startswith("unchecked pay.yaml:15: /schema/0/properties/1/quality/1: is not checked: ")
    assert said[-2:] == [
        "unchecked dash.yaml: a load is due within 26 hours, which the dashboard's gate checks",
        "raw/payments: 6 of 6 rules pass; not checked here: 2",
    ]


def test_a_wrong_contract_is_bad_input_and_nothing_is_opened(shop, capfd):
    (shop / "pay.yaml").write_text(CONTRACT.replace("primaryKey: true", "primaryKey: sure"))

    assert call() == 2
    assert "/schema/0/properties/0/primaryKey: is 'sure'; expected true or false" in capfd.readouterr().err
    assert not (shop / "shop.duckdb.lock").exists()


def test_a_warehouse_that_cannot_be_opened_is_our_own_failure(shop, capfd):
    assert call("--warehouse", "postgresql://me:s3cret@localhost:1/db") == 1

    told = capfd.readouterr()
    assert "cannot be opened" in told.err
    assert "s3cret" not in told.err
