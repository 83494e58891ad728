from __future__ import annotations

import datetime as dt
import os
import re
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard_trust.contracts.files import LARGEST_FILE
from dashboard_trust.contracts.model import (
    DashboardContract,
    PartitionSchedule,
    ReadyBy,
    RequiredAsset,
    Section,
)
from dashboard_trust.contracts.yaml import CONTRACT, parse_contracts, read_contracts
from dashboard_trust.errors import ContractError

WHOLE = """
    key: dashboards/sales
    title: Sales
    url: https://bi.example.com/sales
    owner: team:sales
    partitions: {schedule: daily, start: 2026-11-01, timezone: Europe/Berlin}
    ready_by:
      time: 08:00
      timezone: Europe/Berlin
      days_after_end: 1
    requires:
      - marts/sales
      - {asset: raw/orders, checks: [row_count, no_nulls]}
    freshness:
      raw/orders: {fail_after_hours: 26.5}
    sections:
      - {key: main, title: Main, assets: [marts/sales], when_unmet: block}
      - {key: crm, title: CRM, assets: [raw/orders], when_unmet: label}
    accept_reported: true
    at_most_once: true
    message: Being checked.
    """


def parse(text: str) -> tuple[DashboardContract, ...]:
    return parse_contracts(textwrap.dedent(text), "sales.yaml")


def refused(text: str) -> str:
    with pytest.raises(ContractError) as caught:
        parse(text)
    message = str(caught.value)
    assert "\n" not in message
    return message


def with_line(line: str) -> str:
    return f"key: dashboards/sales\nowner: team:sales\n{line}\n"


def test_every_field_is_read():
    assert parse(WHOLE) == (
        DashboardContract(
            key="dashboards/sales",
            title="Sales",
            url="https://bi.example.com/sales",
            owner="team:sales",
            partitions=PartitionSchedule("daily", dt.date(2026, 11, 1), "Europe/Berlin"),
            ready_by=ReadyBy(dt.time(8), "Europe/Berlin", 1),
            requires=(RequiredAsset("marts/sales"), RequiredAsset("raw/orders", ("row_count", "no_nulls"))),
            freshness={"raw/orders": dt.timedelta(hours=26.5)},
            sections=(
                Section("main", "Main", ("marts/sales",), "block"),
                Section("crm", "CRM", ("raw/orders",), "label"),
            ),
            accept_reported=True,
            at_most_once=True,
            message="Being checked.",
        ),
    )


def test_every_field_of_a_contract_has_a_reader():
    assert set(CONTRACT) == set(DashboardContract.__dataclass_fields__)


def test_what_is_left_out_takes_the_contracts_own_defaults():
    assert parse(with_line("")) == (DashboardContract("dashboards/sales", "team:sales"),)


@pytest.mark.parametrize("written", ["8:00", "08:00", '"08:00"', "'08:00'", "!!str 08:00"])
def test_a_time_is_a_time_however_it_is_quoted(written):
    (contract,) = parse(with_line(f"ready_by: {{time: {written}}}"))

    assert contract.ready_by == ReadyBy(dt.time(8))


@pytest.mark.parametrize("word", ["no", "on", "2026-11-01", "12_000", "0x10", ".5", "true"])
def test_a_text_is_what_is_written_also_where_yaml_sees_something_else(word):
    (contract,) = parse(with_line(f"title: {word}"))

    assert contract.title == word


@pytest.mark.parametrize(
    "text",
    [
        "- {key: a, owner: team:x}\n- {key: b, owner: team:x}\n",
        "key: a\nowner: team:x\n---\nkey: b\nowner: team:x\n",
        "---\n# nothing\n---\nkey: a\nowner: team:x\n---\n- {key: b, owner: team:x}\n...\n",
    ],
)
def test_a_file_may_hold_several_contracts(text):
    assert [contract.key for contract in parse_contracts(text)] == ["a", "b"]


def test_an_alias_repeats_what_it_stands_for():
    first, second = parse_contracts(
        "- {key: a, owner: team:x, ready_by: &morning {time: 08:00}}\n- {key: b, owner: team:x, ready_by: *morning}\n"
    )

    assert first.ready_by == second.ready_by == ReadyBy(dt.time(8))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tittle: Sales", "line 3: contract has an unknown key 'tittle': did you mean 'title'?"),
        ("ready_by: {tme: 08:00}", "line 3: ready_by has an unknown key 'tme': did you mean 'time'?"),
        ("ready_by: {timezone: UTC}", "line 3: ready_by has no 'time'"),
        ("ready_by: 08:00", "line 3: ready_by must be a mapping with the keys time, timezone, days_after_end"),
        ("ready_by:\n  time: 25:00", "line 4: ready_by.time '25:00' is not a time of day"),
        ("ready_by: {time: 480}", "'480' is not a time of day"),
        ("ready_by: {time: 08:00, timezone: Europe/Berlni}", "'Europe/Berlni' is not a known time zone"),
        ("ready_by: {time: 08:00, timezone: America}", "'America' is not a known time zone"),
        ("ready_by: {time: 08:00, days_after_end: -1}", "'-1' is not a whole number of days"),
        ("ready_by: {time: 08:00, days_after_end: 1.5}", "'1.5' is not a whole number of days"),
        ("partitions: {schedule: dayly, start: 2026-11-01}", "'dayly' is not one of hourly, daily"),
        ("partitions: {schedule: daily, start: 2026-02-30}", "'2026-02-30' is not a day"),
        ("partitions: {schedule: daily}", "partitions has no 'start'"),
        ("requires: []", "line 1: contract cannot be: Contract 'dashboards/sales' requires nothing"),
        ("requires:", "line 3: requires must be a list"),
        ("requires: everything", "line 3: requires must be a list"),
        ("requires: [raw/a, raw/a]", "requires names 'raw/a' twice"),
        (
            "requires: [{asset: raw/a, chekcs: [b]}]",
            r"requires\[1\] has an unknown key 'chekcs': did you mean",
        ),
        ("requires: [{checks: [b]}]", r"requires\[1\] has no 'asset'"),
        ("requires: [{asset: raw/a, checks: []}]", r"requires\[1\].checks names no check"),
        ("requires: [[raw/a]]", r"requires\[1\] must be a plain value"),
        ("requires: [raw//a]", r"'raw//a' is not an asset key"),
        ("freshness: {raw/a: 26}", "freshness.raw/a must be a mapping with the keys fail_after_hours"),
        ("freshness: {raw/a: {fail_after_hours: 0}}", "'0' is not a number of hours above 0"),
        ("freshness: {raw/a: {fail_after_hours: .nan}}", "'.nan' is not a number of hours"),
        ("freshness: {raw/a: {fail_after_hours: 1e999}}", "'1e999' is not a number of hours"),
        ("freshness: {raw/a: {fail_after_hours: a day}}", "'a day' is not a number of hours"),
        ("freshness: {raw/a: {fail_after_minutes: 5}}", "unknown key 'fail_after_minutes': did you mean"),
        ("sections: [{key: a, title: A, assets: []}]", r"sections\[1\].assets names no asset"),
        ("sections: [{key: a, title: A, assets: [x], when_unmet: lable}]", "'lable' is not one of block, label"),
        ("sections: [{key: a, title: A, assets: [x]}, {key: a, title: B, assets: [y]}]", "sections names 'a' twice"),
        ("accept_reported: maybe", "'maybe' is neither true nor false"),
        ("accept_reported: yes", "'yes' is neither true nor false"),
        ("message:", "line 3: message is empty"),
        ("title: [a]", "line 3: title must be a plain value"),
        ("title: !!python/object/apply:os.getcwd []", "has the tag 'tag:yaml.org,2002:python/object/apply:os.getcwd'"),
        ("title: !secret word", "has the tag '!secret'"),
        ("owner: team:other", "line 3: contract has the key 'owner' twice"),
        ("? [a, b]\n: c", "line 3: a key of contract must be a plain value"),
        ("<<: {title: Sales}", "unknown key '<<'"),
        ("\ttitle: Sales", "line 3: is not valid YAML: .*indent with spaces, not tabs"),
        ("title: 'Sales", "is not valid YAML"),
        ("title: *missing", "line 3: is not valid YAML: found undefined alias"),
        ('title: "\\UFFFFFFFF"', "is not valid YAML"),
        ("sections: &all [*all]", "comes to more than 100,000 values"),
    ],
)
def test_what_cannot_be_meant_is_one_clear_message(line, said):
    message = refused(with_line(line))

    assert message.startswith("sales.yaml")
    assert re.search(said, message), message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "sales.yaml: holds no contract."),
        ("# only a comment\n---\n", "sales.yaml: holds no contract."),
        ("[]", "sales.yaml: holds no contract."),
        ("just words", "sales.yaml, line 1: contract must be a mapping with the keys key, title"),
        ("- 5", "sales.yaml, line 1: contract[1] must be a mapping"),
        ("owner: team:x", "sales.yaml, line 1: contract has no 'key'."),
        ("key: a", "sales.yaml, line 1: contract has no 'owner'."),
        ("key: a\nowner: nobody", "sales.yaml, line 2: owner 'nobody' is neither an e-mail address nor team:name."),
        ("key: a\nowner: ''", "sales.yaml, line 2: owner is empty: give it a value, or leave the key out."),
        (
            "- {key: a, owner: team:x}\n- {key: a, owner: team:y}",
            "sales.yaml, line 2: contract[2] is a second contract for 'a'; keep one.",
        ),
        ("key: a\0", "sales.yaml: is not valid YAML"),
        ("[" * 5000, "sales.yaml: is nested too deeply."),
    ],
)
def test_a_document_that_is_no_contract_is_one_clear_message(text, said):
    assert refused(text).startswith(said)


def test_aliases_that_multiply_end_at_once():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    started = time.monotonic()

    assert "comes to more than" in refused("\n".join(lines))
    assert time.monotonic() - started < 5


class TestReadContracts:
    def test_a_file_is_read_with_or_without_a_byte_order_mark(self, tmp_path):
        file = tmp_path / "sales.yaml"
        file.write_bytes(b"\xef\xbb\xbf" + textwrap.dedent(WHOLE).encode())

        assert read_contracts(file) == read_contracts(str(file)) == parse(WHOLE)

    def test_bytes_that_are_not_text_are_named_by_line(self, tmp_path):
        file = tmp_path / "sales.yaml"
        file.write_bytes(b"key: a\nowner: \xff\n")

        with pytest.raises(ContractError, match=r"sales\.yaml, line 2: is not UTF-8 text"):
            read_contracts(file)

    @pytest.mark.parametrize("name", ["absent.yaml", ".", "absent.yaml/inner", "nul\0name"])
    def test_what_is_no_file_is_named(self, tmp_path, name):
        with pytest.raises(ContractError, match=r"no such contract file|cannot be read"):
            read_contracts(f"{tmp_path}/{name}")

    def test_a_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.yaml")

        with pytest.raises(ContractError, match="no such contract file"):
            read_contracts(tmp_path / "pipe.yaml")

    def test_a_file_too_large_to_be_meant_is_refused(self, tmp_path):
        file = tmp_path / "large.yaml"
        file.write_text("# filler\n" * (LARGEST_FILE // 9 + 1))

        with pytest.raises(ContractError, match="larger than"):
            read_contracts(file)

    def test_the_demos_own_contract_is_read(self):
        file = Path(__file__).parents[2] / "dashboard_trust" / "demo" / "contract.yaml"

        assert [contract.key for contract in read_contracts(file)] == ["dashboards/daily_revenue"]


PIECES = [
    "key",
    "owner",
    "title",
    "ready_by",
    "requires",
    "sections",
    "asset",
    "checks",
    "time",
    ":",
    "-",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&a",
    "*a",
    "!!int",
    "?",
    "|",
    ">-",
    "'",
    '"',
    "#",
    "---",
    "...",
    "%YAML",
    "08:00",
    "no",
    "~",
    "é",
]
SPACES = [" ", "\n", "\n  ", "\t", "\u2028"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES + SPACES) | st.text(max_size=3), max_size=25).map("".join))
def test_any_text_is_either_contracts_or_a_contract_error(text):
    try:
        assert parse_contracts(with_line(text))
    except ContractError as error:
        said = str(error)
    else:
        said = "contract"
    assert said.startswith("contract")
