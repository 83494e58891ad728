"""Data contracts become rules: each promise has one, or is named as not checked."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pytest
from data_contracts import OLD, PAYMENTS, with_contract, with_property, with_table

from dashboard_trust.contracts.odcs.contract import DataContract, lint, parse_data_contract
from dashboard_trust.contracts.odcs.document import parse_document
from dashboard_trust.contracts.row_rules import (
    AcceptedValues,
    Condition,
    Fits,
    Length,
    NotNull,
    Pattern,
    Range,
    References,
    Unique,
)
from dashboard_trust.contracts.rules import as_check_name
from dashboard_trust.contracts.scalars import OWNER
from dashboard_trust.contracts.table_rules import ANY_TEXT, CONCERNS, Columns, Freshness, Query, RowCount
from dashboard_trust.errors import ContractError

KNOWN_STATUS = as_check_name("known status")
OPEN_PAYMENTS = as_check_name("open payments")


def rules_of(text: str, name: str = "") -> dict:
    """The rules of a contract's table by the names of their checks, without that of its columns."""
    found = parse_data_contract(text).table_rules(name, "raw/t")
    return {rule.check: rule for rule in found.rules if not isinstance(rule, Columns)}


def said_of(text: str) -> list[str]:
    """What is said of a contract, besides that it names nobody."""
    remarks = lint(parse_document(text, "c.yaml"))
    return [f"{one.severity} {one.pointer} {one.problem}" for one in remarks if "names nobody" not in one.problem]


def quality(**said) -> str:
    return with_property(logicalType="string", quality=[said])


class TestWhole:
    def test_every_promise_of_a_table_is_a_rule(self):
        contract = parse_data_contract(PAYMENTS)

        assert (contract.id, contract.version, contract.owner) == ("payments", "1.2.0", "ann@example.com")
        assert list(contract.tables) == ["payments", "customers"]
        assert rules_of(PAYMENTS, "payments") == {
            "unique_payment_id": Unique(key=("payment_id",)),
            "not_null_payment_id": NotNull(column="payment_id"),
            "length_payment_id": Length(column="payment_id", min=2, max=18),
            "pattern_payment_id": Pattern(column="payment_id", regex="^P[0-9]+$"),
            "not_null_amount": NotNull(column="amount"),
            "range_amount": Range(column="amount", above=0, max=1000),
            "fits_paid_at": Fits(column="paid_at", type="timestamp"),
            KNOWN_STATUS: AcceptedValues(
                name=KNOWN_STATUS,
                column="status",
                values=("paid", "open"),
                allowed_percent=math.nextafter(5, 0),
                severity="warn",
                description="Two words (conformity)",
            ),
            "references_customer_id_customers": References(
                name="references_customer_id_customers",
                key=("customer_id",),
                table='"raw"."customers"',
                other_key=("id",),
            ),
            "row_count": RowCount(min=11),
            OPEN_PAYMENTS: Query(
                name=OPEN_PAYMENTS,
                sql="SELECT count(*) FROM {table} WHERE status = 'open'",
                below=Decimal(2),
                description="open payments",
            ),
            "freshness_paid_at": Freshness(name="freshness_paid_at", column="paid_at", within=dt.timedelta(hours=26)),
        }

    def test_columns_have_the_types_that_the_file_says_physically(self):
        columns = parse_data_contract(PAYMENTS).table_rules("payments", "raw/payments").rules[0]

        assert columns == Columns(
            types={
                "payment_id": "varchar(18)",
                "amount": "decimal(18, 2)",
                "paid_at": "",
                "status": ANY_TEXT,
                "customer_id": ANY_TEXT,
            }
        )

    def test_what_nobody_checks_is_named(self):
        assert said_of(PAYMENTS) == [
            "warning /schema/0/properties/3/quality/1 is not checked: it is text, for people",
            "warning /schema/0/properties/3/quality/2 is not checked: it is for the engine 'soda', "
            "which is not supported",
            "warning /slaProperties/2 is not checked: there is no rule for 'retention'; "
            "latency and frequency are looked at",
        ]

    def test_3_0_calls_its_rules_otherwise(self):
        contract = parse_data_contract(OLD)

        assert contract.owner == "dan@example.com"  # who left does not answer
        assert rules_of(OLD) == {
            "not_null_order_id": NotNull(column="order_id"),
            as_check_name("Few duplicates"): Unique(
                name=as_check_name("Few duplicates"), key=("order_id",), allowed_rows=9, description="Few duplicates"
            ),
            "accepted_values_unit": AcceptedValues(column="unit", values=("pounds", "kg")),
            as_check_name("Verify row count range"): RowCount(
                name=as_check_name("Verify row count range"), min=100, max=120, description="Verify row count range"
            ),
        }

    def test_the_contracts_owner_answers_for_every_failure_of_its_tables(self):
        rules = parse_data_contract(PAYMENTS).table_rules("payments", "raw/payments")

        assert rules.owners == dict.fromkeys(CONCERNS, "ann@example.com")

    def test_a_table_of_several_has_to_be_named(self):
        contract = parse_data_contract(PAYMENTS, "pay.yaml")

        with pytest.raises(
            ContractError, match=r"pay\.yaml: it has 2 tables, name one of them as schema: payments, customers"
        ):
            contract.table_rules("", "raw/payments")
        with pytest.raises(ContractError, match="did you mean 'payments'"):
            contract.table_rules("payment", "raw/payments")

    def test_a_table_of_no_promise_has_no_rules_that_anything_would_keep(self):
        text = with_table(description="nothing else")

        assert said_of(text) == ["warning /schema/0 promises nothing that can be checked"]
        with pytest.raises(ContractError, match="nothing that it promises of 't' can be checked"):
            parse_data_contract(text).table_rules("t", "raw/t")

    def test_other_tables_are_where_the_table_itself_is_unless_the_contract_says(self):
        moved = PAYMENTS.replace("  - name: customers\n", "  - name: customers\n    physicalName: crm.people\n")

        def table(text, *where):
            rules = parse_data_contract(text).table_rules("payments", *where).rules
            return next(rule.table for rule in rules if isinstance(rule, References))

        assert table(PAYMENTS, "shop/raw/payments") == '"raw"."customers"'
        assert table(PAYMENTS, "raw/payments", "staging.pay") == 'staging."customers"'
        assert table(PAYMENTS, "raw.eu/payments.2026") == '"raw.eu"."customers"'
        assert table(PAYMENTS, "payments") == '"public"."customers"'
        assert table(moved, "raw/payments") == '"crm"."people"'

    def test_two_of_one_name_are_told_apart_by_what_they_ask_and_one_said_twice_is_one(self):
        twice = {"metric": "nullValues", "mustBe": 0, "name": "filled"}
        rules = rules_of(
            with_property(logicalType="string", quality=[twice, twice, twice | {"mustBe": 0, "severity": "info"}])
        )
        turned = rules_of(
            with_property(logicalType="string", quality=[twice, twice | {"mustBe": 0, "severity": "info"}, twice])
        )

        assert len(rules) == 2
        assert set(rules) == set(turned)
        assert rules["filled"].severity == "error"

    def test_a_quality_rule_may_have_the_name_of_the_row_count_that_every_table_has(self):
        named = {"metric": "nullValues", "mustBe": 0, "name": "row_count"}
        found = parse_data_contract(quality(**named)).table_rules("t", "raw/t")

        first, rule = found.all_rules[0], found.rules[-1]
        assert first == RowCount()
        assert isinstance(rule, NotNull)
        assert rule.check.startswith("row_count_")

    def test_a_row_count_may_be_named_as_it_is(self):
        text = with_table(quality=[{"metric": "rowCount", "mustBeGreaterThan": 4, "name": "row_count"}])

        assert parse_data_contract(text).table_rules("t", "raw/t").all_rules == (
            RowCount(name="row_count", description="row_count", min=5),
        )

    def test_a_contract_without_tables_says_so(self):
        with pytest.raises(ContractError, match=r"c\.yaml: it has no table: it promises nothing under `schema`"):
            parse_data_contract(with_contract(), "c.yaml").find()

    def test_each_table_has_what_is_not_checked_of_it_and_no_other(self):
        text = with_contract(
            schema=[
                {"name": "t", "properties": [{"name": "x", "logicalType": "time"}]},
                *({"name": f"t{n}", "properties": [{"name": "x", "logicalType": "array"}]} for n in range(10)),
            ],
            slaProperties=[
                {"property": "retention", "value": 1, "element": "t.x, t1"},
                {"property": "retention", "value": 1},
                {"property": "latency", "value": 1, "element": "nowhere"},
            ],
        )
        unchecked = parse_data_contract(text).unchecked

        assert {name: [remark.pointer for remark in remarks] for name, remarks in unchecked.items()} == {
            "t": ["/schema/0/properties/0", "/slaProperties/0", "/slaProperties/1", "/slaProperties/2"],
            **{
                f"t{n}": [
                    f"/schema/{n + 1}/properties/0",
                    *(["/slaProperties/0"] if n == 1 else []),
                    *("/slaProperties/1", "/slaProperties/2"),
                ]
                for n in range(10)
            },
        }

    def test_one_query_with_two_bounds_is_two_rules_and_said_twice_one(self):
        asked = {"type": "sql", "query": "SELECT count(*) FROM {object}"}
        low, high = asked | {"mustBeGreaterThan": 0}, asked | {"mustBeLessThan": 9}

        rules = rules_of(with_property(logicalType="string", quality=[low, high, low])).values()
        assert [(rule.above, rule.below) for rule in rules] == [(0, None), (None, 9)]


class TestProperties:
    @pytest.mark.parametrize(
        ("physical", "type_"),
        [
            ("VARCHAR(18)", "varchar(18)"),
            ("string", "text"),
            ("serial", "integer"),
            ("NUMBER(38,0)", "decimal(38, 0)"),
            ("float4", "real"),
            ("INT64", "bigint"),
            ("timestamp(6) with time zone", "timestamp with time zone"),
            ("double  precision", "double precision"),
            ("", ""),
        ],
    )
    def test_types_are_words_of_every_engine(self, physical, type_):
        columns, *_ = parse_data_contract(with_property(physicalType=physical)).tables["t"]

        assert columns.types == {"x": type_}

    @pytest.mark.parametrize(
        "physical", ["Name", "float(3,2)", "varchar[15]", "STRUCT<a: INT>", "geography", "💥", "int; drop table"]
    )
    def test_a_type_that_not_every_engine_knows_is_not_compared_and_named(self, physical):
        text = with_property(physicalType=physical)

        assert parse_data_contract(text).tables["t"][0].types == {"x": ""}
        assert "not the same on every engine" in said_of(text)[0]

    def test_text_that_stands_for_something_else_is_read_as_it(self):
        assert rules_of(with_property(logicalType="integer", physicalType="varchar")) == {
            "fits_x": Fits(column="x", type="integer")
        }
        assert rules_of(with_property(logicalType="number", physicalType="float")) == {
            "fits_x": Fits(column="x", type="number")
        }
        assert rules_of(with_property(logicalType="integer", physicalType="bigint")) == {}
        old = with_property(logicalType="date").replace("v3.1.0", "v3.0.2")
        assert rules_of(old) == {"fits_x": Fits(column="x", type="timestamp")}  # it knew no other word for a moment

    def test_a_key_of_several_columns_is_unique_as_a_whole_in_its_own_order(self):
        text = with_table(
            properties=[
                {"name": "b", "primaryKey": True, "primaryKeyPosition": 2},
                {"name": "a", "primaryKey": True, "primaryKeyPosition": 1},
            ]
        )

        assert rules_of(text) == {
            "unique_a_b": Unique(key=("a", "b")),
            "not_null_b": NotNull(column="b"),
            "not_null_a": NotNull(column="a"),
        }

    @pytest.mark.parametrize(
        ("options", "rule"),
        [
            ({"minimum": 1, "exclusiveMinimum": 1}, Range(column="x", above=1)),
            ({"minimum": 2, "exclusiveMinimum": 1}, Range(column="x", min=2)),
            ({"maximum": 2, "exclusiveMaximum": 3}, Range(column="x", max=2)),
            ({"exclusiveMaximum": 0.1}, Range(column="x", below=Decimal("0.1"))),
            ({"format": "u8"}, Range(name="u8_x", column="x", min=0, max=255)),
            (
                {"multipleOf": 5},
                Condition(name="multiple_of_x", sql='"x" IS NULL OR MOD("x", 5) = 0'),
            ),
        ],
    )
    def test_options_of_numbers_are_rules(self, options, rule):
        rules = rules_of(with_property(logicalType="integer", physicalType="int", logicalTypeOptions=options))

        assert list(rules.values()) == [rule]

    def test_options_of_days_stay_text_until_the_column_says_what_they_are(self):
        text = with_property(
            logicalType="date",
            physicalType="date",
            logicalTypeOptions={"minimum": "2020-01-01", "format": "yyyy-MM-dd"},
        )

        assert rules_of(text) == {"range_x": Range(column="x", min="2020-01-01")}

    @pytest.mark.parametrize(
        ("said", "pointer"),
        [
            ({"logicalType": "string", "logicalTypeOptions": {"format": "email"}}, "/logicalTypeOptions/format"),
            ({"logicalType": "string", "logicalTypeOptions": {"pattern": "(?=a)b"}}, "/logicalTypeOptions/pattern"),
            ({"logicalType": "array", "logicalTypeOptions": {"minItems": 1}}, "/logicalTypeOptions/minItems"),
            ({"logicalType": "object", "properties": [{"name": "y", "required": True}]}, "/properties"),
            ({"logicalType": "array", "items": {"logicalType": "string"}}, "/items"),
            ({"semanticType": "measure"}, ""),
            ({"semanticType": "dimension", "required": True}, ""),
            ({"relationships": [{"to": "others.id"}]}, "/relationships/0"),
            ({"relationships": [{"to": "t.x.y"}]}, "/relationships/0"),
            ({"relationships": [{"to": "https://example.com/c.yaml#/schema/a/properties/b"}]}, "/relationships/0"),
        ],
    )
    def test_what_has_no_rule_is_named_where_it_stands(self, said, pointer):
        said_there = said_of(with_property(**said).replace("v3.1.0", "v3.2.0"))

        place = f"warning /schema/0/properties/0{pointer} "
        assert any(one.startswith(place) and " not checked" in one for one in said_there)

    @pytest.mark.parametrize(
        ("said", "pointer"),
        [
            ({"logicalType": "date", "logicalTypeOptions": {"format": "dd.MM.yyyy"}}, "/logicalTypeOptions/format"),
            ({"logicalType": "time"}, ""),
            ({"logicalType": "time", "physicalType": "varchar(5)"}, ""),
            ({"logicalType": "array"}, ""),
            ({"logicalType": "object"}, ""),
            ({"logicalType": "object", "physicalType": "text"}, ""),
            ({"logicalType": "string", "physicalType": "INTEGER"}, ""),
            ({"logicalType": "integer", "physicalType": "decimal(18, 2)"}, ""),
            ({"logicalType": "integer", "physicalType": "numeric"}, ""),
            ({"logicalType": "date", "physicalType": "timestamp"}, ""),
            (
                {"logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}},
                "/logicalTypeOptions/timezone",
            ),
            (
                {
                    "logicalType": "timestamp",
                    "physicalType": "timestamp",
                    "logicalTypeOptions": {"defaultTimezone": "Europe/Berlin"},
                },
                "/logicalTypeOptions/defaultTimezone",
            ),
        ],
    )
    def test_a_type_that_no_rule_makes_sure_of_is_named(self, said, pointer):
        (found,) = said_of(with_property(**said))

        assert found.startswith(f"warning /schema/0/properties/0{pointer} is not checked")

    @pytest.mark.parametrize(
        "said",
        [
            {"logicalType": "string", "physicalType": "varchar"},
            {"logicalType": "string", "physicalType": "uuid"},
            {"logicalType": "integer", "physicalType": "bigint"},
            {"logicalType": "integer", "physicalType": "number(38,0)"},
            {"logicalType": "number", "physicalType": "double"},
            {"logicalType": "boolean", "physicalType": "bool"},
            {"logicalType": "date", "physicalType": "date", "logicalTypeOptions": {"format": "dd.MM.yyyy"}},
            {"logicalType": "time", "physicalType": "time", "logicalTypeOptions": {"format": "HH:mm"}},
            {
                "logicalType": "timestamp",
                "physicalType": "timestamptz",
                "logicalTypeOptions": {"timezone": True, "defaultTimezone": "Europe/Berlin"},
            },
        ],
    )
    def test_a_type_that_the_columns_own_type_makes_sure_of_needs_no_word(self, said):
        text = with_property(**said)

        assert said_of(text) == []
        (columns,) = parse_data_contract(text).tables["t"]
        assert columns.types["x"]

    def test_a_day_written_as_days_are_read_is_one(self):
        text = with_property(logicalType="date", logicalTypeOptions={"format": "yyyy-MM-dd"})

        assert rules_of(text) == {"fits_x": Fits(column="x", type="date")}
        assert said_of(text) == []

    @pytest.mark.parametrize(
        ("said", "lengths"),
        [
            ({"physicalType": "varchar(18)"}, [Length(column="x", max=18)]),
            ({"physicalType": "NVARCHAR2 (18)", "logicalTypeOptions": {}}, [Length(column="x", max=18)]),
            ({"physicalType": "char(2)", "logicalTypeOptions": {"minLength": 2}}, [Length(column="x", min=2, max=2)]),
            ({"physicalType": "varchar(18)", "logicalTypeOptions": {"maxLength": 20}}, [Length(column="x", max=18)]),
            ({"physicalType": "varchar(18)", "logicalTypeOptions": {"maxLength": 9}}, [Length(column="x", max=9)]),
            ({"physicalType": "varchar"}, []),
            ({"physicalType": "decimal(18, 2)", "logicalType": "number"}, []),
        ],
    )
    def test_the_length_of_a_text_type_is_a_rule_since_engines_keep_longer_ones(self, said, lengths):
        found = rules_of(with_property(**{"logicalType": "string", **said}))

        assert [rule for rule in found.values() if isinstance(rule, Length)] == lengths

    def test_a_string_without_a_type_of_its_own_is_any_text(self):
        (columns,) = parse_data_contract(with_property(logicalType="string")).tables["t"]

        assert columns.types == {"x": ANY_TEXT}

    def test_values_of_an_enum_are_the_accepted_ones(self):
        text = with_property(enum=[{"value": "a"}, {"value": 1}, {"value": True}]).replace("v3.1.0", "v3.2.0")

        assert rules_of(text) == {"accepted_values_x": AcceptedValues(column="x", values=("a", 1, True))}

    def test_bounds_between_which_nothing_lies_are_wrong(self):
        text = with_property(logicalType="integer", logicalTypeOptions={"minimum": 5, "maximum": 1})

        assert said_of(text) == [
            "error /schema/0/properties/0/logicalTypeOptions cannot be: 5 to 1 holds nothing: "
            "the lower bound is the higher one"
        ]
        with pytest.raises(ContractError, match="holds nothing"):
            parse_data_contract(text)

    def test_a_reference_by_id_is_found(self):
        text = with_contract(
            schema=[
                {
                    "name": "t",
                    "id": "t1",
                    "properties": [{"name": "x", "relationships": [{"to": "schema/o1/properties/k1"}]}],
                },
                {"name": "others", "id": "o1", "properties": [{"name": "key", "id": "k1", "physicalName": "k"}]},
            ]
        )

        (rule,) = rules_of(text, "t").values()
        assert (rule.table, rule.other_key) == ('"raw"."others"', ("k",))


class TestQuality:
    @pytest.mark.parametrize(
        ("bound", "allowed"),
        [
            ({}, {}),
            ({"mustBe": 0}, {}),
            ({"mustBeLessThan": 5}, {"allowed_rows": 4}),
            ({"mustBeLessThan": 4.5}, {"allowed_rows": 4}),
            ({"mustBeLessOrEqualTo": 5}, {"allowed_rows": 5}),
            ({"mustBeBetween": [0, 5]}, {"allowed_rows": 5}),
            ({"mustBeLessThan": 1, "unit": "percent"}, {"allowed_percent": math.nextafter(1, 0)}),
            ({"mustBeLessOrEqualTo": 0.1, "unit": "percent"}, {"allowed_percent": 0.1}),
            ({"mustBeLessThan": 100, "unit": "%"}, {"allowed_percent": math.nextafter(100, 0)}),
            ({"mustBe": 0, "unit": "percent"}, {}),
        ],
    )
    def test_an_upper_bound_is_how_many_rows_may_be_wrong(self, bound, allowed):
        text = quality(type="library", rule="nullCheck", **bound).replace("v3.1.0", "v3.0.2")

        assert rules_of(text) == {"not_null_x": NotNull(column="x", **allowed)}

    @pytest.mark.parametrize(
        "bound",
        [
            {"mustBe": 5},
            {"mustNotBe": 0},
            {"mustBeGreaterThan": 5},
            {"mustBeGreaterOrEqualTo": 0},
            {"mustBeBetween": [1, 5]},
            {"mustNotBeBetween": [0, 5]},
            {"mustBeLessThan": 0},
            {"mustBeLessOrEqualTo": 100, "unit": "percent"},
            {"mustBeLessOrEqualTo": 5, "unit": "bananas"},
            {"mustBe": "none"},
            {"mustBe": True},
        ],
    )
    def test_what_is_no_upper_bound_is_named_and_becomes_no_rule(self, bound):
        text = quality(metric="nullValues", **bound)

        (found,) = said_of(text)
        assert found.startswith("warning /schema/0/properties/0/quality/0 is not checked: ")
        assert rules_of_or_none(text) == {}

    @pytest.mark.parametrize(
        ("bound", "rows"),
        [
            ({"mustBe": 5}, {"min": 5, "max": 5}),
            ({"mustNotBe": 0}, {"min": 1}),
            ({"mustBeGreaterThan": 5}, {"min": 6}),
            ({"mustBeGreaterThan": 5.5}, {"min": 6}),
            ({"mustBeGreaterOrEqualTo": 5}, {"min": 5}),
            ({"mustBeLessThan": 5}, {"max": 4}),
            ({"mustBeBetween": [5, 9]}, {"min": 5, "max": 9}),
        ],
    )
    def test_a_row_count_is_bounded_exactly(self, bound, rows):
        assert rules_of(with_table(quality=[{"metric": "rowCount", **bound}])) == {"row_count": RowCount(**rows)}

    @pytest.mark.parametrize(
        "bound",
        [{"mustNotBe": 5}, {"mustNotBeBetween": [1, 2]}, {"mustBe": 5, "unit": "percent"}],
    )
    def test_a_row_count_that_is_no_stretch_is_named(self, bound):
        text = with_table(properties=[{"name": "x"}], quality=[{"metric": "rowCount", **bound}])

        (found,) = said_of(text)
        assert found.startswith("warning /schema/0/quality/0 is not checked: ")

    @pytest.mark.parametrize("wrong", [{"mustBe": -5}, {"mustBeLessThan": 0}, {"mustBeBetween": [9, 5]}])
    def test_a_row_count_that_no_table_has_is_wrong(self, wrong):
        (found, *_) = said_of(with_table(quality=[{"metric": "rowCount", **wrong}]))

        assert found.startswith("error /schema/0/quality/0 cannot be: ")

    def test_duplicates_are_of_the_columns_that_are_named(self):
        text = with_table(
            properties=[{"name": "a"}, {"name": "b", "physicalName": "b_1"}],
            quality=[{"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["a", "b"]}}],
        )

        assert rules_of(text) == {"unique_a_b_1": Unique(key=("a", "b_1"))}
        (found,) = said_of(text.replace("      - b\n", "      - c\n"))
        assert "there is no property 'c'" in found

    def test_words_for_a_missing_value_are_missing(self):
        rules = rules_of(
            quality(metric="missingValues", mustBe=0, arguments={"missingValues": [None, "", "N/A", "it's"]})
        )
        kept = rules_of(quality(metric="missingValues", mustBe=0, arguments={"missingValues": ["N/A"]}))

        assert rules["missing_values_x"].sql == "CAST(\"x\" AS VARCHAR) NOT IN ('', 'N/A', 'it''s')"
        assert kept["missing_values_x"].sql == '"x" IS NULL OR CAST("x" AS VARCHAR) NOT IN (\'N/A\')'
        assert rules_of(quality(metric="missingValues", mustBe=0)) == {"not_null_x": NotNull(column="x")}

    @pytest.mark.parametrize(
        "said",
        [
            {"metric": "invalidValues", "mustBe": 0},
            {"metric": "invalidValues", "mustBe": 0, "arguments": {"pattern": "(?i)a"}},
            {"metric": "invalidValues", "mustBe": 0, "arguments": {"pattern": "a", "validValues": ["a"]}},
            {"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": [["a"]]}},
            {"type": "sql", "query": "SELECT 1", "mustNotBe": 0},
            {"type": "sql", "query": "SELECT 1", "mustBe": True},
            {"type": "sql", "query": "SELECT 1 FROM {other}", "mustBe": 1},
            {"type": "sql", "query": "SELECT 1 FROM ${TABLE_OF:-x}", "mustBe": 1},
            {"type": "custom", "engine": "greatExpectations", "implementation": {"type": "x"}},
        ],
    )
    def test_what_cannot_be_checked_is_named_where_it_stands(self, said):
        text = quality(**said)

        (found,) = said_of(text)
        assert found.startswith("warning /schema/0/properties/0/quality/0 is not checked: ")
        assert rules_of_or_none(text) == {}

    def test_a_query_asks_of_this_table_and_column_and_its_bounds_are_exact(self):
        (rule,) = rules_of(
            quality(
                type="sql",
                query="SELECT avg(${property}) FROM {object} t JOIN ${table} u USING ({column})",
                mustBeGreaterThan=5,
                mustBeLessOrEqualTo=7.5,
                unit="EUR",
            ).replace("v3.1.0", "v3.0.2")
        ).values()

        assert isinstance(rule, Query)
        assert rule.sql == 'SELECT avg("x") FROM {table} t JOIN {table} u USING ("x")'
        assert (rule.min, rule.above, rule.max, rule.below) == (None, Decimal(5), Decimal("7.5"), None)
        assert rule.unit == "EUR"

    @pytest.mark.parametrize(
        ("word", "severity"),
        [("warning", "warn"), ("INFO", "warn"), ("error", "error"), ("critical", "error"), ("grave", "error")],
    )
    def test_what_is_not_known_to_be_mild_holds(self, word, severity):
        (rule,) = rules_of(quality(metric="nullValues", mustBe=0, severity=word)).values()

        assert rule.severity == severity


class TestServiceLevels:
    def contract(self, *levels, **said) -> DataContract:
        return parse_data_contract(
            with_contract(
                schema=[
                    {"name": "t", "properties": [{"name": "at", "physicalName": "at_1"}]},
                    {"name": "u", "properties": [{"name": "id"}]},
                ],
                slaProperties=list(levels),
                **said,
            )
        )

    def test_the_shorter_of_latency_and_frequency_is_when_a_load_is_overdue(self):
        contract = parse_data_contract(PAYMENTS)

        assert contract.windows == {"payments": dt.timedelta(days=1)}

    @pytest.mark.parametrize(
        ("value", "unit", "told"),
        [(4, "d", "4 days"), (24, "h", "1 day"), (26, "h", "26 hours"), (90, "m", "90 minutes"), (5, "s", "5 seconds")],
    )
    def test_when_a_load_is_due_is_told_plainly_where_it_stands(self, value, unit, told):
        contract = self.contract(
            {"property": "retention", "value": 9, "unit": "y"},
            {"property": "frequency", "value": 9, "unit": "y"},
            {"property": "frequency", "value": value, "unit": unit, "element": "t"},
        )

        due = contract.due["t"]
        assert due.problem == f"a load is due within {told}, which a dashboard's gate checks"
        assert (due.pointer, due.line, due.severity) == ("/slaProperties/2", 21, "warning")
        assert contract.due["u"].pointer == "/slaProperties/1"

    def test_a_level_without_an_element_is_of_every_table(self):
        contract = self.contract({"property": "frequency", "value": 1, "unit": "d"})

        assert contract.windows == {"t": dt.timedelta(days=1), "u": dt.timedelta(days=1)}

    def test_the_default_element_is_meant_where_none_is_named(self):
        contract = self.contract({"property": "ly", "value": 90, "unit": "m"}, slaDefaultElement="t.at")

        window = dt.timedelta(minutes=90)
        assert contract.windows == {"t": window}
        assert contract.tables["t"][-1] == Freshness(name="freshness_at_1", column="at_1", within=window)

    @pytest.mark.parametrize(
        ("value", "unit", "window"),
        [
            (4, "d", dt.timedelta(days=4)),
            ("4", "days", dt.timedelta(days=4)),
            (1.5, "Hours", dt.timedelta(hours=1.5)),
            ("PT26H", None, dt.timedelta(hours=26)),
            ("P1DT30M", None, dt.timedelta(days=1, minutes=30)),
            (1, "y", dt.timedelta(days=365)),
            (2, None, dt.timedelta(days=2)),
        ],
    )
    def test_times_are_read_with_their_units(self, value, unit, window):
        said = {"property": "latency", "value": value, "element": "t.at"} | ({"unit": unit} if unit else {})

        assert self.contract(said).windows == {"t": window}

    @pytest.mark.parametrize(
        "said",
        [
            {"property": "latency", "value": 0, "unit": "d"},
            {"property": "latency", "value": -1, "unit": "d"},
            {"property": "latency", "value": 1e300, "unit": "y"},
            {"property": "latency", "value": "soon"},
            {"property": "latency", "value": "nan"},
            {"property": "latency", "value": True},
            {"property": "latency", "value": None},
            {"property": "latency", "value": "P"},
            {"property": "latency", "value": 1, "unit": "fortnight"},
            {"property": "latency", "value": 1, "element": "t.nowhere"},
            {"property": "latency", "value": 1, "element": "nowhere.at"},
            {"property": "endOfLife", "value": "2032-05-12T09:30:10-08:00"},
            {"property": "timeOfAvailability", "value": "09:00-08:00"},
        ],
    )
    def test_what_says_no_time_is_named(self, said):
        contract = self.contract(said)

        assert contract.windows == {}
        assert any(one.pointer == "/slaProperties/0" and "not checked" in one.problem for one in contract.remarks)


class TestOwners:
    @pytest.mark.parametrize(
        ("said", "owner"),
        [
            ({"team": [{"username": "ann@example.com", "role": "Owner"}]}, "ann@example.com"),
            ({"team": [{"username": "ann", "role": "owner"}, {"username": "bob@example.com"}]}, "bob@example.com"),
            (
                {"team": [{"username": "s@example.com", "role": "steward"}, {"username": "o@e.org", "role": "OWNER"}]},
                "o@e.org",
            ),
            ({"team": {"name": "Payments"}}, "team:Payments"),
            ({"support": [{"channel": "#help", "url": "mailto:help%2Bx@example.com?subject=x"}]}, "help+x@example.com"),
            (
                {
                    "support": [
                        {"channel": "a@example.com", "url": "x", "scope": "announcements"},
                        {"channel": "b@example.com", "url": "x"},
                    ]
                },
                "b@example.com",
            ),
            ({"support": [{"channel": "#help", "url": "https://example.com"}]}, ""),
            ({"team": []}, ""),
            ({}, ""),
        ],
    )
    def test_who_can_be_reached_answers(self, said, owner):
        contract = parse_data_contract(with_contract(schema=[{"name": "t", "properties": [{"name": "x"}]}], **said))

        assert contract.owner == owner
        assert not owner or OWNER.fullmatch(owner)
        assert owner or any("names nobody" in remark.problem for remark in contract.remarks)


def rules_of_or_none(text: str) -> dict:
    rules = parse_data_contract(text).tables["t"]
    return {rule.check: rule for rule in rules if not isinstance(rule, Columns)}
