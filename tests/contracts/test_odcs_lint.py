"""Whether a file is of the standard: by its newest schema, and by the one it declares."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from data_contracts import OLD, PAYMENTS, REMOVED, changed, dumped, with_contract, with_property

from dashboard_trust.contracts.linting import lint_file, lint_text
from dashboard_trust.contracts.odcs.contract import parse_data_contract, read_data_contract
from dashboard_trust.contracts.odcs.document import parse_document
from dashboard_trust.contracts.odcs.judging import SCHEMAS, judge
from dashboard_trust.errors import ContractError


def judged(text: str) -> list[str]:
    return [str(remark) for remark in judge(parse_document(text, "c.yaml"))]


def only(text: str) -> str:
    (said,) = judged(text)
    return said


@pytest.mark.parametrize("version", sorted(set(SCHEMAS.values())))
def test_the_schemas_are_shipped_with_the_package(version):
    schema = files("dashboard_trust.contracts.odcs").joinpath("versions", f"odcs-{version}.schema.json")

    assert version in json.loads(schema.read_text(encoding="utf-8"))["properties"]["apiVersion"]["enum"]
    assert files("dashboard_trust.contracts.odcs").joinpath("versions", "NOTICE").is_file()


@pytest.mark.parametrize("version", SCHEMAS)
def test_a_plain_contract_is_right_by_every_version(version):
    text = with_property(logicalType="string", required=True).replace("v3.1.0", version)

    assert judged(text) == []


class TestVersions:
    def test_what_only_the_newest_breaks_is_a_warning(self):
        found = judge(parse_document(OLD, "old.yaml"))

        assert {remark.severity for remark in found} == {"warning"}
        assert found[0].problem.endswith("(wrong only in v3.2.0; the file declares v3.0.2)")
        assert parse_data_contract(OLD).tables

    def test_what_only_the_declared_version_breaks_is_a_warning(self):
        text = PAYMENTS.replace("v3.1.0", "v3.0.2")  # which has lists for teams

        found = judge(parse_document(text, "c.yaml"))
        assert {remark.severity for remark in found} == {"warning"}
        assert "/team" in {remark.pointer for remark in found}
        assert all("wrong only in v3.0.2, which the file declares" in remark.problem for remark in found)
        assert parse_data_contract(text).owner == "ann@example.com"

    def test_what_both_break_is_wrong_with_its_pointer_and_what_was_expected(self):
        text = dumped(changed(OLD, "schema", 0, "properties", 0, "logicalType", to="strng"))

        found = [one for one in judged(text) if "logicalType" in one]
        (said,) = found
        assert said.startswith("c.yaml:10: error: /schema/0/properties/0/logicalType: is 'strng'; expected one of ")
        assert said.endswith("(did you mean 'string'?)")

    def test_what_only_the_newest_breaks_stays_a_warning_beside_a_mistake(self):
        text = dumped(changed(OLD, "schema", 0, "properties", 0, "logicalType", to="strng"))

        found = judge(parse_document(text, "old.yaml"))
        assert [remark.pointer for remark in found if remark.severity == "error"] == [
            "/schema/0/properties/0/logicalType"
        ]
        assert len(found) > 3

    def test_a_file_that_is_right_by_neither_is_wrong_where_it_breaks_the_version_it_declares(self):
        text = OLD + "support:\n  - {channel: help}\n"  # where 3.0 asks for a url, and the newest for metrics

        found = judge(parse_document(text, "old.yaml"))
        assert [str(remark) for remark in found if remark.severity == "error"] == [
            "old.yaml:27: error: /support/0: has no 'url'; expected a value for 'url'"
        ]
        assert "/schema/0/quality/0" in {remark.pointer for remark in found if remark.severity == "warning"}

    def test_what_is_wrong_is_told_as_the_declared_version_has_it(self):
        text = with_property(logicalType="vectr").replace("v3.1.0", "v3.0.2")  # the newest has vectors

        (found,) = judged(text)
        assert "expected one of string, date, number, integer, object, array, boolean" in found
        assert "did you mean" not in found

    @pytest.mark.parametrize(
        ("said", "found"),
        [
            ({"apiVersion": "v2.2.2"}, "1: error: /apiVersion: 'v2.2.2' is no version of the standard"),
            ({"apiVersion": "v4.0.0"}, "1: error: /apiVersion: 'v4.0.0' is no version"),
            ({"apiVersion": "3.1.0"}, "1: error: /apiVersion: '3.1.0' is no version"),
            ({"apiVersion": ["v3.1.0"]}, "2: error: /apiVersion: ['v3.1.0'] is no version"),
            ({"apiVersion": None}, "1: error: has no 'apiVersion'"),
            ({"kind": "DataProduct"}, "2: error: /kind: is of another kind"),
            ({"kind": None}, "1: error: has no 'kind'"),
            ({"dataContractSpecification": "1.1.0"}, "1: error: is of the Data Contract Specification"),
        ],
    )
    def test_another_standard_or_version_is_one_clear_remark(self, said, found):
        assert only(with_contract(**said)).startswith(f"c.yaml:{found}")


class TestWording:
    @pytest.mark.parametrize(
        ("path", "to", "said"),
        [
            (["id"], REMOVED, "1: error: has no 'id'; expected a value for 'id'"),
            (["id"], 5, "3: error: /id: is 5; expected text"),
            (["version"], None, "5: error: /version: is empty; expected text"),
            (["versoin"], "1", "error: /versoin: is an unknown key"),
            (["team"], 5, "error: /team: is 5; expected a mapping or a list"),
            (["schema", 0, "name"], REMOVED, "8: error: /schema/0: has no 'name'; expected a value for 'name'"),
            (["schema", 0, "properties"], {}, "error: /schema/0/properties: is a mapping; expected a list"),
            (
                ["schema", 0, "properties", 0, "primaryKey"],
                "yes",
                "error: /schema/0/properties/0/primaryKey: is 'yes'; expected true or false",
            ),
            (
                ["schema", 0, "properties", 0, "logicalTypeOptions", "minLength"],
                -1,
                "minLength: is -1; expected a number from 0",
            ),
            (
                ["schema", 0, "properties", 0, "logicalTypeOptions", "minimum"],
                1,
                "logicalTypeOptions/minimum: is an unknown key; expected one of format, maxLength, minLength, pattern",
            ),
            (
                ["schema", 0, "quality", 0, "mustBe"],
                1,
                "/schema/0/quality/0: has mustBe and mustBeGreaterThan; expected only one of them",
            ),
            (
                ["schema", 0, "quality", 0, "mustBeGreaterThan"],
                REMOVED,
                "/schema/0/quality/0: has none of the keys that say what is expected; expected one of mustBe, ",
            ),
            (
                ["schema", 0, "quality", 0, "metric"],
                "rowCnt",
                "/schema/0/quality/0/metric: is 'rowCnt'; expected one of nullValues, missingValues, invalidValues, "
                "duplicateValues, rowCount (did you mean 'rowCount'?)",
            ),
            (
                ["schema", 0, "quality", 1, "query"],
                REMOVED,
                "/schema/0/quality/1: has no 'query'; expected a value for 'query'",
            ),
            (
                ["schema", 0, "properties", 4, "relationships", 0, "from"],
                "a.b",
                "/schema/0/properties/4/relationships/0: is a mapping; expected The 'from' field must not",
            ),
            (
                ["servers"],
                [{"server": "a", "type": "postgress"}],
                "/servers/0/type: is 'postgress'; expected a known word (did you mean 'postgres'?)",
            ),
            (["slaProperties", 0, "value"], [4], "/slaProperties/0/value: is a list of 1; expected text or a number"),
            (["a/b~c"], 1, "/a~1b~0c: is an unknown key"),
        ],
    )
    def test_a_mistake_is_one_line_with_its_place_and_what_was_expected(self, path, to, said):
        found = judged(dumped(changed(PAYMENTS, *path, to=to)))

        assert len(found) <= 2
        assert any(said in one and one.startswith("c.yaml:") for one in found)
        assert all("\n" not in one and len(one) < 700 for one in found)

    def test_options_without_a_type_are_told_as_that(self):
        said = only(with_property(logicalTypeOptions={"minLength": 3, "pattern": "a"}))

        assert "/logicalTypeOptions: belong to no type; expected a logicalType beside them" in said

    def test_a_wrong_key_does_not_make_its_neighbours_look_unknown(self):
        text = with_property(logicalType="strng", required=True, unique=True, description="x")

        assert "/logicalType:" in only(text)

    def test_a_key_that_only_others_rule_out_is_not_overlooked(self):
        text = with_property(quality=[{"query": "SELECT 1", "mustBe": 1}])

        assert any("/quality/0/query: is a key that does not go with the others there" in one for one in judged(text))

    def test_a_name_said_twice_is_wrong(self):
        text = with_contract(
            schema=[{"name": "t", "properties": [{"name": "x"}, {"name": "x"}]}, {"name": "t", "properties": []}]
        )

        found = [str(remark) for remark in lint_text(text, "c.yaml") if remark.severity == "error"]
        assert [one.partition("error: ")[2] for one in found] == [
            "/schema/0/properties/1: is a second property of 't' by the name 'x'; expected each name once",
            "/schema/1: is a second table by the name 't'; expected each name once",
        ]


class TestFiles:
    def test_json_is_read_too(self, tmp_path):
        file = tmp_path / "c.json"
        file.write_text(json.dumps(changed(PAYMENTS, "id", to="é"), indent=2))

        assert read_data_contract(file).id == "é"

    def test_scalars_are_what_yaml_1_2_and_json_say(self):
        found = parse_document("a: yes\nb: 09:30\nc: 2026-11-01\nd: 0.10\ne: True\nf: ~\ng: 1_000\nh: 010\n", "c").value

        assert {key: str(value) for key, value in found.items()} == {
            "a": "yes",
            "b": "09:30",
            "c": "2026-11-01",
            "d": "0.10",
            "e": "True",
            "f": "None",
            "g": "1_000",
            "h": "10",
        }

    def test_keys_that_are_merged_come_after_its_own(self):
        document = parse_document("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: {<<: [*x, {c: 4, a: 5}]}\n", "c")

        assert document.value["y"] == {"a": 1, "b": 3}
        assert document.value["z"] == {"a": 1, "b": 2, "c": 4}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "holds no documents"),
            ("a: 1\n---\nb: 2\n", "holds 2 documents"),
            ("a: 1\na: 2\n", "has the key 'a' twice"),
            ("a: !!python/object/apply:os.system [ls]\n", "has the tag"),
            ("a: [1, 2\n", "is not valid YAML"),
            ("a: " + "[" * 2000 + "]" * 2000, "is nested too deeply"),
            ("a: &a [*a]\n", "comes to more than"),
            ('a: "\\ud800"\n', "half of a character"),
            ("a: " + "9" * 5000 + "\n", "is a number of more than 100 digits"),
        ],
    )
    def test_what_is_no_document_is_said(self, text, said):
        with pytest.raises(ContractError, match=said) as caught:
            parse_document(text, "c.yaml")
        assert str(caught.value).startswith("c.yaml")

    def test_what_is_nested_many_times_is_judged_to_its_end(self):
        items: dict = {"logicalType": "strng"}
        for _ in range(20):
            items = {"logicalType": "array", "items": {"logicalType": "object", "properties": [{"name": "y", **items}]}}

        said = only(with_property(**items))
        assert f"/schema/0/properties/0{'/items/properties/0' * 20}/logicalType: is 'strng'" in said

    def test_a_dashboards_contract_is_linted_too(self, tmp_path):
        file = tmp_path / "dash.yaml"
        file.write_text("key: dash\nowner: nobody\n")

        (remark,) = lint_file(file)
        assert (remark.line, remark.severity) == (2, "error")
        assert "neither an e-mail address nor team:name" in remark.problem
        file.write_text("key: dash\nowner: team:x\n")
        assert lint_file(file) == ()


class TestBelieving:
    def test_a_wrong_file_gives_no_rules_but_the_first_mistake_and_how_to_see_the_others(self):
        text = with_property(nmae="y", required="no")

        with pytest.raises(ContractError) as caught:
            parse_data_contract(text, "c.yaml")
        message = str(caught.value)
        assert message.startswith("c.yaml:")
        assert "1 more: dashboard-trust contract lint c.yaml" in message
