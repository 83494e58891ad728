"""Odd contracts, hand-made and generated: each is right, or one clear line says what is wrong and where."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
import yaml
from data_contracts import OLD, PAYMENTS

from dashboard_trust.cli.app import run
from dashboard_trust.contracts.linting import is_data_contract, lint_text
from dashboard_trust.contracts.odcs.contract import parse_data_contract
from dashboard_trust.contracts.yaml import parse_contracts
from dashboard_trust.errors import ContractError

DASHBOARD = """
key: dashboards/sales
owner: team:sales
ready_by: {time: '08:00', timezone: Europe/Berlin}
freshness: {raw/orders: {fail_after_hours: 26}}
tables:
  - asset: raw/orders
    time_column: ordered_at
    owners: {volume: team:volume}
    rules:
      - not_null: [order_id, amount]
      - unique: order_id
      - range: {column: amount, above: 0, allowed_percent: 0.5}
      - accepted_values: {column: status, values: [paid, open]}
      - pattern: {column: order_id, regex: '^O[0-9]+$'}
      - freshness: {column: ordered_at, within_hours: 26}
      - row_count: {of_median: [0.5, 2]}
      - columns: {types: {order_id: text, amount: 'decimal(18, 2)'}}
      - query: {name: open, sql: 'SELECT count(*) FROM {table}', max: 10}
"""
BASES = {"dashboard": DASHBOARD, "odcs 3.1": PAYMENTS, "odcs 3.0": OLD}
DEEP: Any = "x"
for _ in range(80):
    DEEP = [DEEP]
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 10**30, 1.5, float("nan"), float("inf"), 1e-300),
    *(
        "",
        " ",
        "x",
        "no",
        "null",
        "\u0000",
        "💥 ünïcödé \u202e",
        "a\nb",
        "x" * 5000,
        "{{ x }}",
        "${X}",
        "'; DROP TABLE t",
    ),
    *([], {}, [[]], [None], [{}], {"a": {"b": None}}, ["a", "a"], {"": 1}, DEEP),
)
MUTATIONS_OF_EACH = 90


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a contract below its root."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, child in children for place in ((*path, key), *places(child, (*path, key)))]


def mutate(whole: Any, random_: random.Random) -> str:
    """Return a contract with one to three places changed, removed, said twice or moved."""
    whole = copy.deepcopy(whole)
    for _ in range(random_.randint(1, 3)):
        *above, key = random_.choice(places(whole))
        at = whole
        for step in above:
            at = at[step]
        match random_.randrange(6):
            case 0:
                del at[key]
            case 1 if isinstance(at, dict):
                at[str(key)[:-1] or "?"] = at.pop(key)
            case 2 if isinstance(at, list):
                at.append(copy.deepcopy(at[key]))
            case 3:
                at[key] = {"wrapped": at[key]}
            case 4:
                at[key] = copy.deepcopy(whole)
            case _:
                at[key] = copy.deepcopy(random_.choice(VALUES))
        if not places(whole):
            break
    return yaml.safe_dump(whole, sort_keys=random_.random() < 0.2, allow_unicode=random_.random() < 0.8)


def scramble(text: str, random_: random.Random) -> str:
    """Return a text with characters dropped, doubled or put in, so that it may be no YAML at all."""
    for _ in range(random_.randint(1, 3)):
        at = random_.randrange(len(text))
        put = random_.choice(
            ["", "\t", ":", "- ", "&a ", "*a ", "!x ", "'", '"', "[", "{", "<<: ", "---\n", "%", "@", "\x07"]
        )
        text = text[:at] + put + text[at + random_.randint(0, 2) :]
    return text


def generated() -> list[tuple[str, str]]:
    """Contracts by what they were made of, the same in every run."""
    random_ = random.Random(20261121)
    found = []
    for name, base in BASES.items():
        whole = yaml.safe_load(base)
        found += [(f"{name} {n}", mutate(whole, random_)) for n in range(MUTATIONS_OF_EACH)]
        found += [(f"{name} text {n}", scramble(base, random_)) for n in range(MUTATIONS_OF_EACH // 3)]
    return found


GENERATED = generated()


def refusal(text: str) -> str:
    """Why a contract cannot be used; "" where it can."""
    try:
        if is_data_contract(text, "odd.yaml"):
            contract = parse_data_contract(text, "odd.yaml")
            for name, rules in contract.tables.items():
                if rules:
                    contract.table_rules(name, "raw/t")
        else:
            parse_contracts(text, "odd.yaml")
    except ContractError as error:
        return str(error)
    return ""


def assert_clear(message: str) -> None:
    assert message.startswith("odd.yaml")
    assert len(message) < 1000
    assert "\n" not in message
    assert "Traceback" not in message
    assert "ValidationError" not in message
    assert "$ref" not in message


def test_there_are_many_and_most_of_them_are_odd():
    assert len(GENERATED) >= 300
    assert len({text for _, text in GENERATED}) >= 300
    assert sum(bool(refusal(text)) for _, text in GENERATED) >= 200


@pytest.mark.parametrize("text", [text for _, text in GENERATED], ids=[name for name, _ in GENERATED])
def test_a_generated_contract_is_right_or_says_why_not(text):
    message = refusal(text)
    remarks = lint_text(text, "odd.yaml")

    if message:
        assert_clear(message)
    # What lint calls an error is what refuses the file, and nothing else is.
    assert any(remark.severity == "error" for remark in remarks) == bool(message)
    for remark in remarks:
        assert_clear(str(remark))
        assert remark.line <= text.count("\n") + 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no contract"),
        ("~", "holds no contract"),
        ("5", "line 1: contract must be a mapping"),
        ("- 5", "must be a mapping"),
        ("\x00", "not valid YAML"),
        ("key: a\nkey: b\nowner: team:x", "line 2: contract has the key 'key' twice"),
        ("? [a, b]\n: 1", "must be a plain value"),
        ("key: !!python/name:os.system x\nowner: team:x", "has the tag"),
        ("key: a\nowner: team:x\ntables: &t [*t]", "comes to more than 100,000 values"),
        ("a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
         "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]",
         "comes to more than 100,000 values"),
        ("apiVersion: v3.1.0", "has no 'kind'"),
        ("kind: DataContract", "has no 'apiVersion'"),
        ("kind: DataContract\nkind: DataContract", "has the key 'kind' twice"),
        ("apiVersion: v3.1.0\nkind: DataContract\n---\napiVersion: v3.1.0\n", "holds 2 documents"),
        ("apiVersion: v3.1.0\nkind: DataContract\nschema: []", "has no 'version'"),
        ("{apiVersion: v3.1.0, kind: DataContract, id: a, version: '1', schema: {}}", "/schema: is a mapping"),
        ("apiVersion: [v3.1.0]\nkind: DataContract", "is no version of the standard"),
        ("kind: [DataContract]\napiVersion: v3.1.0", "is of another kind"),
        ("kind: {}\napiVersion: {}", "is of another kind"),
    ],
)  # fmt: skip
def test_a_hand_made_one_says_why_not(text, said):
    message = refusal(text)

    assert said in message
    assert_clear(message)
    assert next(iter(lint_text(text, "odd.yaml"))).severity == "error"


@pytest.mark.parametrize(("name", "text"), GENERATED[::20], ids=[name for name, _ in GENERATED[::20]])
def test_the_command_line_says_it_in_lines_and_by_its_exit_code(name, text, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.yaml").write_text(text, encoding="utf-8")
    code = 3 if refusal(text) else 0

    assert run(["contract", "lint", "odd.yaml"]) == code
    said = capfd.readouterr()
    *remarks, summary = said.out.splitlines()
    assert said.err == ""
    assert all(remark.startswith("odd.yaml:") for remark in remarks)
    assert ("error" in "".join(remarks)) == bool(code) or not code
    assert summary.startswith("1 file: ")
    assert run(["contract", "lint", "odd.yaml", "--json"]) == code
