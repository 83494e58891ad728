"""The command line on the demo: its exit codes, and what it prints and writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dashboard_trust.cli.app import run
from dashboard_trust.contracts.yaml import read_contracts
from dashboard_trust.errors import ContractError

PLACES = ("DASHBOARD_TRUST_HOME", "DAGSTER_HOME")
STANDING = {"dashboard", "partition", "readiness", "as_of", "serving", "findings"}


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def answer(monkeypatch, capfd):
    """Run one command in this process; return its exit code, its stdout and its stderr."""

    def answer(demo, *words: str) -> tuple[int, str, str]:
        for name in PLACES:
            monkeypatch.setenv(name, "")
        code = run([*words, "--home", str(demo.home.path)])
        return code, *capfd.readouterr()

    return answer


def one_line(text: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith("Error: ")]
    return line


def test_prepare_writes_the_source_once_and_never_again(new_home, answer):
    ended = new_home.command("demo", "--prepare", "--as-of", "2025-03-14", "--json")
    assert (ended.returncode, json.loads(ended.stdout)["as_of"]) == (0, "2025-03-14")
    assert {day[:10] for day in new_home.expected()} == {f"2025-03-{n:02}" for n in range(1, 15)}
    assert not new_home.home.warehouse.path.exists()
    new_home.correct_refund(new_home.day)
    new_home.crm_file(new_home.day).unlink()
    (new_home.home.source / "customers.csv").unlink()
    source, landing = content(new_home.home.source), content(new_home.home.landing)

    assert answer(new_home, "demo", "--prepare")[0] == 0

    assert (content(new_home.home.source), content(new_home.home.landing)) == (source, landing)


def test_status_and_explain_are_one_document_each(demo, answer):
    code, said, _ = answer(demo, "status", "--json")
    assert code == 0
    (row,) = json.loads(said)
    assert row.keys() >= STANDING
    assert (row["dashboard"], row["readiness"], row["findings"]) == ("dashboards/daily_revenue", "READY", [])

    code, said, _ = answer(demo, "explain", "dashboards/daily_revenue", "--partition", "2025-03-10", "--json")
    assert (code, json.loads(said)["partition"]) == (0, "2025-03-10")


def test_a_held_day_is_3_and_is_told_with_its_findings(demo, answer):
    (demo.home.source / "orders.csv").unlink()

    held = demo.command("demo", "--json")

    assert held.returncode == 3
    told = json.loads(held.stdout)
    assert (told["readiness"], told["published"]) == ("BLOCKED", False)
    assert all(row.keys() >= {"asset", "partition", "check", "outcome", "reason", "owner"} for row in told["findings"])
    assert "orders.csv" in json.dumps(told["findings"])
    (row,) = json.loads(answer(demo, "status", "--json")[1])
    assert row["findings"] == told["findings"]


BAD = {
    "a dashboard": (("explain", "dashboards/dayly_revenue"), "did you mean 'dashboards/daily_revenue'?"),
    "a partition": (("explain", "dashboards/daily_revenue", "--partition", "2025-03-99"), "2025-03-99"),
    "a date": (("demo", "--as-of", "14.03.2025"), "write it as YYYY-MM-DD"),
    "a day before the source": (("demo", "--as-of", "2025-02-28"), "its source goes from 2025-03-01"),
    "a day to come": (("demo", "--as-of", "2999-01-01"), "2999-01-01"),
}


@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD)
def test_what_cannot_be_meant_is_one_message_and_2(demo, answer, arguments):
    words, message = arguments
    before = content(demo.home.path)

    code, said, errors = answer(demo, *words, "--json")

    assert code == 2
    assert message in json.loads(said)["error"]
    assert message in one_line(errors)
    assert "Traceback" not in errors
    assert {n for n, c in content(demo.home.path).items() if before.get(n) != c} <= {"demo.lock"}


@pytest.mark.parametrize("words", [("demo", "--as-off", "2025-03-14"), ("deom",)])
def test_an_unknown_option_or_command_is_2(new_home, answer, words):
    code, _, errors = answer(new_home, *words)

    assert code == 2
    assert "--as-off" in errors or "deom" in errors
    assert not new_home.home.path.exists()


@pytest.mark.parametrize("words", [("demo",), ("demo", "--prepare"), ("demo", "--reset")])
def test_a_home_that_cannot_be_written_is_our_failure(new_home, answer, words):
    new_home.home.path.write_text("a file")

    code, said, errors = answer(type(new_home)(new_home.home.path / "home"), *words, "--json")

    assert code == 1
    assert "Name another" in json.loads(said)["error"]
    assert "Traceback" not in errors
    assert new_home.home.path.read_text() == "a file"


def test_reset_starts_over_and_leaves_other_folders_alone(new_home, answer, tmp_path):
    assert answer(new_home, "demo", "--prepare", "--as-of", "2025-03-14")[0] == 0
    assert answer(new_home, "demo", "--prepare", "--reset", "--as-of", "2025-03-20")[0] == 0
    assert max(new_home.expected()) == "2025-03-20"
    strange = type(new_home)(tmp_path / "strange")
    strange.home.path.mkdir()
    (strange.home.path / "letter.txt").write_text("dear all")

    code, _, errors = answer(strange, "demo", "--reset")

    assert code == 1
    assert "does not look like a demo's home" in one_line(errors)
    assert content(strange.home.path) == {"letter.txt": b"dear all"}


def test_a_home_where_nothing_ran_is_2_and_says_how_to_start(new_home, answer):
    code, said, _ = answer(new_home, "status", "--json")

    assert code == 2
    assert "holds no demo that has run" in json.loads(said)["error"]
    assert not new_home.home.path.exists()


def test_definitions_that_raise_are_one_message_and_1(demo, tmp_path, capfd):
    broken = tmp_path / "broken.py"
    broken.write_text("raise ValueError('no such setting')\n")

    code = run(["status", "-f", str(broken), "--json"])

    told = capfd.readouterr()
    assert code == 1
    assert "broken.py could not be loaded: ValueError: no such setting" in json.loads(told.out)["error"]
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("key: [unclosed", "contract.yaml, line"),
        ("key: d\nowner: a@example.com\nfreshnes: {}\n", "did you mean 'freshness'?"),
        ("\x00", "contract.yaml"),
    ],
)
def test_a_contract_that_cannot_be_read_is_named(tmp_path, text, message):
    (tmp_path / "contract.yaml").write_text(text)

    with pytest.raises(ContractError) as raised:
        read_contracts(tmp_path / "contract.yaml")

    assert message in str(raised.value)
    assert raised.value.exit_code == 2
