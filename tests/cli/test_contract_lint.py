from __future__ import annotations

import json

import pytest

from dashboard_trust.cli.app import run

GOOD = """apiVersion: v3.1.0
kind: DataContract
id: payments
version: 1.0.0
status: active
team: {name: payments}
schema:
  - name: payments
    properties: [{name: id, logicalType: string, required: true}]
"""
SODA = GOOD + "    quality: [{type: custom, engine: soda, implementation: x}]\n"


@pytest.fixture
def write(place):
    def write(name, text):
        (place / name).write_text(text)
        return name

    return write


def test_a_clean_file_is_0_of_either_kind(write, capfd):
    write("dash.yaml", "key: dash\nowner: team:x\n")

    assert run(["contract", "lint", write("good.yaml", GOOD), "dash.yaml"]) == 0
    assert capfd.readouterr().out == "2 files: 0 errors, 0 warnings\n"


def test_a_warning_is_said_and_is_0(write, capfd):
    assert run(["contract", "lint", write("soda.yaml", SODA)]) == 0

    assert capfd.readouterr().out.splitlines() == [
        "soda.yaml:10: warning: /schema/0/quality/0: is not checked: it is for the engine 'soda', "
        "which is not supported",
        "1 file: 0 errors, 1 warning",
    ]


def test_a_mistake_is_3_with_its_line_pointer_and_what_was_expected(write, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    bad = write("bad.yaml", GOOD.replace("required: true", "required: 'yes'"))

    assert run(["contract", "lint", bad]) == 3
    assert capfd.readouterr().out.splitlines() == [
        "bad.yaml:9: error: /schema/0/properties/0/required: is 'yes'; expected true or false",
        "1 file: 1 error, 0 warnings",
    ]


def test_json_has_every_remark_in_its_parts(write, capfd):
    bad = write("bad.yaml", GOOD.replace("required: true", "required: 'yes'"))

    assert run(["contract", "lint", bad, "--json"]) == 3
    assert json.loads(capfd.readouterr().out) == [
        {
            "file": "bad.yaml",
            "line": 9,
            "pointer": "/schema/0/properties/0/required",
            "problem": "is 'yes'",
            "expected": "true or false",
            "severity": "error",
        }
    ]


def test_what_is_no_yaml_is_a_finding_and_what_cannot_be_read_is_2(write, place, capfd):
    assert run(["contract", "lint", write("odd.yaml", "a: [1")]) == 3
    assert "odd.yaml:1: error: is not valid YAML" in capfd.readouterr().out
    for name in ("nowhere.yaml", "."):
        assert run(["contract", "lint", name]) == 2
        assert capfd.readouterr().out.splitlines() == [
            f"{name}: error: there is no such contract file",
            "1 file (1 cannot be read): 1 error, 0 warnings",
        ]
    (place / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert run(["contract", "lint", "binary.yaml"]) == 2
    assert "binary.yaml:1: error: is not UTF-8 text\n" in capfd.readouterr().out


def test_a_file_that_cannot_be_read_hides_nothing_of_the_others(write, capfd):
    bad = write("bad.yaml", GOOD.replace("required: true", "required: 'yes'"))
    files = [bad, "nowhere.yaml", write("soda.yaml", SODA)]

    assert run(["contract", "lint", *files]) == 2
    said = capfd.readouterr().out.splitlines()
    assert [line.split(": ")[:2] for line in said] == [
        ["bad.yaml:9", "error"],
        ["nowhere.yaml", "error"],
        ["soda.yaml:10", "warning"],
        ["3 files (1 cannot be read)", "2 errors, 1 warning"],
    ]
    assert run(["contract", "lint", *files, "--json"]) == 2
    assert [(one["file"], one["line"]) for one in json.loads(capfd.readouterr().out)] == [
        ("bad.yaml", 9),
        ("nowhere.yaml", None),
        ("soda.yaml", 10),
    ]


def test_what_a_data_contract_asks_in_vain_is_said_once_also_from_the_dashboards_that_use_it(write, capfd):
    write("soda.yaml", SODA)
    dash = write("dash.yaml", "key: dash\nowner: team:x\ntables: [{asset: raw/pay, data_contract: soda.yaml}]\n")

    for files, count in (([dash], "1 file"), ([dash, "soda.yaml"], "2 files")):
        assert run(["contract", "lint", *files]) == 0
        (line, summary) = capfd.readouterr().out.splitlines()
        assert line.startswith("soda.yaml:10: warning: /schema/0/quality/0: is not checked: ")
        assert summary == f"{count}: 0 errors, 1 warning"


def test_without_a_file_it_says_how_it_is_called(place, capfd):
    assert run(["contract", "lint"]) == 2
    assert "Missing argument 'files'" in capfd.readouterr().err
