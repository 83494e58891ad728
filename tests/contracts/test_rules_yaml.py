"""Rules of tables from YAML: every kind is read, and what cannot be meant is said with its place."""

from __future__ import annotations

import datetime as dt
import textwrap
from decimal import Decimal

import pytest
from data_contracts import PAYMENTS

from dashboard_trust.contracts.linting import lint_file
from dashboard_trust.contracts.row_rules import AcceptedValues, NotNull, Range, Unique
from dashboard_trust.contracts.rules_yaml import KINDS, OPTIONS, REQUIRED, parse_rules
from dashboard_trust.contracts.table_rules import Freshness, RowCount, TableRules
from dashboard_trust.contracts.yaml import parse_contracts, read_contracts
from dashboard_trust.errors import ContractError

HEAD = "key: dash\nowner: team:x\n"


def tables(text: str):
    (contract,) = parse_contracts(HEAD + textwrap.dedent(text), "dash.yaml")
    return contract.tables


def refused(text: str) -> str:
    with pytest.raises(ContractError) as caught:
        tables(text)
    message = str(caught.value)
    assert message.startswith("dash.yaml, line ")
    assert "\n" not in message
    return message


def refused_rule(rule: str) -> str:
    return refused(f"tables:\n- asset: raw/t\n  rules:\n  - {rule}\n")


def test_every_kind_has_its_readers():
    assert set(OPTIONS) == set(KINDS)
    assert set(REQUIRED) <= set(KINDS)


def test_rules_are_read_in_their_short_and_long_forms():
    (table,) = tables(
        """
        tables:
          - asset: raw/t
            table: raw.t_v1
            time_column: at
            owners: {volume: vol@example.com}
            rules:
              - not_null: [a, b]
              - unique: [a, b]
              - range: {column: n, above: 0, max: 1e3, name: n_range, severity: warn}
              - accepted_values: {column: s, values: [yes, "1", 1, true], allowed_percent: 0.5}
              - freshness: {column: at, within_hours: 26}
              - row_count: {min: 1}
        """
    )

    assert (table.table, table.time_column, table.owners) == ("raw.t_v1", "at", {"volume": "vol@example.com"})
    assert table.rules == (
        NotNull(column="a"),
        NotNull(column="b"),
        Unique(key=("a", "b")),
        Range(column="n", above=0, max=1000, name="n_range", severity="warn"),
        AcceptedValues(column="s", values=("yes", "1", 1, True), allowed_percent=0.5),
        Freshness(column="at", within=dt.timedelta(hours=26)),
        RowCount(min=1),
    )


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("not_nul: a", "did you mean 'not_null'?"),
        ("not_null", "must be a mapping"),
        ("{not_null: a, unique: b}", "must be one rule"),
        ("{}", "must be one rule"),
        ("not_null:", "is empty"),
        ("not_null: {colum: a}", "did you mean 'column'?"),
        ("not_null: {blank: true}", "has no 'column'"),
        ("not_null: {column: a, blank: maybe}", "neither true nor false"),
        ("not_null: {column: a, allowed_rows: -1}", "not a whole number from 0"),
        ("not_null: {column: a, allowed_rows: 9999999999999999}", "not a whole number from 0"),
        ("not_null: {column: a, allowed_percent: 100}", "from 0 to less than 100"),
        ("not_null: {column: a, allowed_percent: nan}", "is not a number"),
        ("not_null: {column: a, allowed_rows: 1, allowed_percent: 1}", "give one of them"),
        ("not_null: {column: a, name: 'no good'}", "cannot name a check"),
        ("not_null: {column: a, severity: eror}", "did you mean 'error'?"),
        ("not_null: {column: a, owner: nobody}", "neither an e-mail address nor team:name"),
        ("unique: []", "names no column"),
        ("unique: [a, a]", "names a column twice"),
        ("range: {column: a}", "needs min, max, above or below"),
        ("range: {column: a, min: 2, max: 1}", "holds nothing"),
        ("range: {column: a, min: 1, above: 1}", "min or above, not both"),
        ("range: {column: a, min: x, max: 1}", "are not of one kind"),
        ("range: {column: a, min: true}", "numbers, text, days or moments"),
        ("accepted_values: {column: a, values: []}", "names no value"),
        ("accepted_values: {column: a, values: [null]}", "is empty"),
        ("accepted_values: {column: a, values: x}", "must be a list"),
        ("accepted_values: {column: a, values: [10115, 01067]}", "quote it where it is text, as '01067'"),
        ("range: {column: a, min: -007}", "would be a number, without its zero"),
        ("pattern: {column: a, regex: '('}", "no regular expression"),
        ("pattern: {column: a, regex: '(?=a)'}", "not every engine reads alike"),
        ("length: {column: a, min: 2, max: 1}", "holds nothing"),
        ("fits: {column: a, type: integr}", "did you mean 'integer'?"),
        ("fits: {column: a, type: 'decimal(2, 3)'}", "more digits after the point"),
        ("references: {key: [a, b], table: t, other_key: c}", "2 columns cannot be 1 there"),
        ("condition: {sql: a > 0}", "has no 'name'"),
        ("condition: a > 0", "must be a mapping"),
        ("query: {name: q, sql: SELECT 1}", "query 'q' needs min, max, above or below"),
        ("query: {name: q, sql: SELECT 1, min: 1, above: 1}", "query 'q' has min or above, not both"),
        ("query: {name: q, sql: SELECT 1, above: 1, below: 1}", "without its bounds holds nothing"),
        ("row_count: {of_median: [2]}", "two shares of the median"),
        ("row_count: {of_median: [2, 1]}", "a lower and an upper share"),
        ("row_count: {min: 1, too_little: maybe}", "not one of hold, pass"),
        ("volume_anomaly: {sensitivity: 0}", "a number of deviations above 0"),
        ("freshness: {column: at, within_hours: 0}", "not a number of hours above 0"),
        ("freshness: {column: at, within_hours: 1e9}", "not a number of hours above 0"),
        ("columns: {types: {}}", "names none"),
        ("columns: {types: [a]}", "must be a mapping"),
        ("reconciliation: {table: t, tolerance: -1}", "an amount from 0"),
        ("reconciliation: {table: t, tolerance: inf}", "is not a number"),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_line_and_key(rule, said):
    message = refused_rule(rule)

    assert said in message
    assert "tables[1].rules[1]" in message or "line 6" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tables: 5", "tables must be a list"),
        ("tables: [5]", "must be a mapping"),
        ("tables: [{rules: []}]", "has no 'asset'"),
        ("tables: [{asset: raw/t}]", "neither rules nor a data_contract"),
        ("tables: [{asset: raw/t, rules: []}]", "neither rules nor a data_contract"),
        ("tables: [{asset: 'raw/ t', rules: [row_count: {min: 1}]}]", "is not an asset key"),
        ("tables: [{asset: raw/t, schema: x, rules: [unique: a]}]", "schema is a table of a data_contract"),
        ("tables: [{asset: raw/t, data_contract: nowhere.yaml}]", "nowhere.yaml: there is no such contract file"),
        (
            "tables: [{asset: raw/t, rules: [unique: a, unique: a]}]",
            "two rules are named 'unique_a' (dash.yaml:3 and dash.yaml:3). Give one of them another `name`",
        ),
        (
            "tables: [{asset: raw/t, rules: [not_null: {column: a, name: row_count}]}]",
            "two rules are named 'row_count' (dash.yaml:3); every table has one of that name, of its rows",
        ),
        (
            "tables: [{asset: raw/t, rules: [unique: a]}, {asset: raw/t, rules: [unique: b]}]",
            "names 'raw/t' twice",
        ),
        ("tables: [{asset: raw/t, owners: {volum: team:x}, rules: [unique: a]}]", "did you mean 'volume'?"),
        ("tables: [{asset: raw/t, sample_failures: -1, rules: [unique: a]}]", "not a whole number from 0"),
    ],
)
def test_a_table_that_cannot_be_meant_is_said(text, said):
    assert said in refused(text)


ONLY_LEVELS = """
apiVersion: v3.1.0
kind: DataContract
id: i
version: '1'
status: active
schema: [{name: t}]
"""
DAILY = "slaProperties: [{property: frequency, value: 1, unit: d}]"


def test_a_data_contract_of_service_levels_alone_does_not_refuse_the_rules_beside_it(tmp_path):
    (tmp_path / "t.odcs.yaml").write_text(ONLY_LEVELS + DAILY)
    said = "key: dash\nowner: a@b.co\ntables: [{asset: raw/t, data_contract: t.odcs.yaml, rules: [not_null: a]}]"
    (tmp_path / "dash.yaml").write_text(said)

    (contract,) = read_contracts(tmp_path / "dash.yaml")

    assert contract.freshness == {"raw/t": dt.timedelta(days=1)}
    assert contract.tables[0].rules == (NotNull(column="a"),)


@pytest.mark.parametrize(
    ("levels", "rules", "is_refused"), [("", "", True), (DAILY, "", False), ("", ", rules: [not_null: a]", False)]
)
def test_a_data_contract_is_refused_only_where_nothing_at_all_is_promised(tmp_path, levels, rules, is_refused):
    (tmp_path / "t.odcs.yaml").write_text(ONLY_LEVELS + levels)
    said = f"key: dash\nowner: a@b.co\ntables: [{{asset: raw/t, data_contract: t.odcs.yaml{rules}}}]"
    (tmp_path / "dash.yaml").write_text(said)

    if is_refused:
        with pytest.raises(ContractError, match="nothing that it promises of 't' can be checked"):
            read_contracts(tmp_path / "dash.yaml")
    else:
        assert len(read_contracts(tmp_path / "dash.yaml")[0].tables[0].all_rules) == 1 + bool(rules)


def test_a_number_that_is_quoted_keeps_its_zeros_and_one_without_any_is_a_number():
    said = "tables: [{asset: raw/t, rules: [accepted_values: {column: a, values: ['01067', 0, 0.5, 10]}]}]"
    (table,) = tables(said)

    assert table.rules == (AcceptedValues(column="a", values=("01067", 0, Decimal("0.5"), 10)),)


def test_one_rule_that_is_no_tuple_is_refused_by_what_to_write():
    with pytest.raises(ContractError, match=r"raw/t: rules are a tuple of them: write \(NotNull\(\.\.\.\),\)"):
        TableRules("raw/t", NotNull(column="a"))


def test_rules_of_plain_values_are_read_alike():
    assert parse_rules([{"not_null": ["a"]}, {"range": {"column": "b", "min": "1"}}], "here") == (
        NotNull(column="a"),
        Range(column="b", min="1"),
    )
    with pytest.raises(ContractError, match=r"here, line \d: rules\[1\] has an unknown rule 'x'"):
        parse_rules([{"x": 1}], "here")
    endless: list = []
    endless.append(endless)
    with pytest.raises(ContractError, match="plain values"):
        parse_rules(endless, "here")


class TestDataContracts:
    @pytest.fixture
    def folder(self, tmp_path, monkeypatch):
        (tmp_path / "contracts").mkdir()
        (tmp_path / "contracts" / "pay.odcs.yaml").write_text(PAYMENTS)
        monkeypatch.chdir(tmp_path)
        return tmp_path / "contracts"

    def read(self, folder, text):
        (folder / "dash.yaml").write_text(HEAD + textwrap.dedent(text))
        (contract,) = read_contracts("contracts/dash.yaml")
        return contract

    def test_a_table_has_the_rules_of_its_data_contract_and_those_beside_it(self, folder):
        contract = self.read(
            folder,
            """
            tables:
              - asset: raw/payments
                data_contract: pay.odcs.yaml
                schema: payments
                owners: {volume: team:volume}
                rules:
                  - not_null: status
            """,
        )

        (table,) = contract.tables
        names = [rule.check for rule in table.rules]
        assert {"unique_payment_id", "range_amount", "row_count", "not_null_status"} <= set(names)
        assert table.owners == {**table.owners, "volume": "team:volume", "keys": "ann@example.com"}
        assert contract.freshness == {"raw/payments": dt.timedelta(days=1)}

    def test_what_the_dashboard_says_of_freshness_counts_before_it(self, folder):
        contract = self.read(
            folder,
            """
            freshness: {raw/payments: {fail_after_hours: 3}}
            tables: [{asset: raw/payments, data_contract: pay.odcs.yaml, schema: payments}]
            """,
        )

        assert contract.freshness == {"raw/payments": dt.timedelta(hours=3)}

    @pytest.mark.parametrize(
        ("said", "why"),
        [
            ("", "name one of them as schema: payments, customers"),
            (", schema: payment", "did you mean 'payments'?"),
            (", schema: payments, rules: [row_count: {min: 1}]", "two rules are named 'row_count'"),
        ],
    )
    def test_a_table_that_it_does_not_have_is_said(self, folder, said, why):
        with pytest.raises(ContractError) as caught:
            self.read(folder, f"tables: [{{asset: raw/payments, data_contract: pay.odcs.yaml{said}}}]")
        assert why in str(caught.value)

    def test_a_rule_that_the_data_contract_gives_as_well_is_one_rule(self, folder):
        beside = (
            "[not_null: amount, unique: payment_id, range: {column: amount, above: 0, max: 1000}, row_count: {min: 11}"
        )
        beside += ", freshness: {column: paid_at, within_hours: 26, description: said again}]"
        alone = self.read(folder, "tables: [{asset: raw/payments, data_contract: pay.odcs.yaml, schema: payments}]")
        again = self.read(
            folder,
            f"tables: [{{asset: raw/payments, data_contract: pay.odcs.yaml, schema: payments, rules: {beside}}}]",
        )

        assert again.tables == alone.tables

    def test_another_rule_of_one_name_is_refused_with_both_places(self, folder):
        with pytest.raises(ContractError) as caught:
            self.read(
                folder,
                """
                tables:
                  - asset: raw/payments
                    data_contract: pay.odcs.yaml
                    schema: payments
                    rules:
                      - not_null: status
                      - range: {column: amount, above: 0, max: 2000}
                """,
            )

        message = str(caught.value)
        assert message.startswith("contracts/dash.yaml, line 5: tables[1] cannot be: raw/payments: ")
        assert (
            "two rules are named 'range_amount' (contracts/pay.odcs.yaml:22 and contracts/dash.yaml:10). "
            "Give one of them another `name`" in message
        )

    def test_what_the_data_contract_asks_and_no_rule_checks_stays_with_the_table(self, folder):
        contract = self.read(folder, "tables: [{asset: raw/payments, data_contract: pay.odcs.yaml, schema: payments}]")

        (table,) = contract.tables
        said = [str(remark) for remark in table.unchecked]
        assert len(said) == 3
        assert said[-1] == (
            "contracts/pay.odcs.yaml:55: warning: /slaProperties/2: is not checked: there is no rule for 'retention'; "
            "latency and frequency are looked at"
        )

    def test_lint_of_the_dashboards_contract_says_what_its_data_contracts_ask_in_vain(self, folder):
        entry = "{asset: raw/%s, data_contract: pay.odcs.yaml, schema: payments}"
        self.read(folder, f"tables: [{entry % 'payments'}, {entry % 'others'}]")

        remarks = lint_file("contracts/dash.yaml")
        assert {remark.severity for remark in remarks} == {"warning"}
        assert [(remark.source, remark.pointer) for remark in remarks] == [
            ("contracts/pay.odcs.yaml", "/schema/0/properties/3/quality/1"),
            ("contracts/pay.odcs.yaml", "/schema/0/properties/3/quality/2"),
            ("contracts/pay.odcs.yaml", "/slaProperties/2"),
        ]

    def test_a_wrong_data_contract_is_said_from_where_it_is_used(self, folder):
        (folder / "pay.odcs.yaml").write_text(PAYMENTS.replace("logicalType: number", "logicalType: numbr"))

        with pytest.raises(ContractError) as caught:
            self.read(folder, "tables: [{asset: raw/payments, data_contract: pay.odcs.yaml, schema: payments}]")
        message = str(caught.value)
        assert message.startswith("contracts/dash.yaml, line 3: tables[1].data_contract cannot be used: ")
        assert "contracts/pay.odcs.yaml:19: /schema/0/properties/1/logicalType: is 'numbr'" in message
