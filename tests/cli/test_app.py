from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from dashboard_trust.cli.app import run

MAIN = [sys.executable, "-c", "from dashboard_trust.cli.app import main; main()"]


def call(*arguments, cwd, **environment):
    return subprocess.run(
        [*MAIN, *arguments], cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_json_is_the_only_thing_on_stdout_whatever_else_is_printed(shop):
    done = call("status", "-m", "trust_shop", "--json", cwd=shop, DAGSTER_HOME=str(shop / "instance"))

    assert done.returncode == 0
    assert [row["dashboard"] for row in json.loads(done.stdout)] == ["dashboards/sales"]
    assert "printed while it loads" in done.stderr
    assert "printed by a child" in done.stderr


def test_a_terminal_that_knows_no_unicode_is_no_reason_to_fail(shop):
    environment = {"DAGSTER_HOME": str(shop / "instance"), "PYTHONIOENCODING": "ascii", "COLUMNS": "30"}
    done = call("explain", "dashboards/sales", "-p", "2026-11-03", "-m", "trust_shop", cwd=shop, **environment)

    assert done.returncode == 0
    assert "BLOCKED" in done.stdout


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom dashboard_trust.cli.app import run\nassert run(['--help']) == 0\n"
        "assert not {'dagster', 'pandas', 'duckdb', 'rich', 'yaml'} & set(sys.modules), sys.modules\n"
    )

    subprocess.run([sys.executable, "-c", code], check=True)


class TestErrors:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["explian"],
            ["status", "--nope"],
            ["explain"],
            ["status", "--home"],
            ["status", "-m", "no_such_module"],
            ["status", "-m", ".relative"],
            ["status", "-m", "shop.py"],
            ["status", "-m", ""],
            ["status", "-f", "no_such_file.py"],
            ["status", "-w", "no_such_workspace.yaml"],
            ["status", "--home", "no_such_home"],
            ["status", "--home", "x", "-m", "y"],
            ["status"],
        ],
    )
    def test_bad_input_is_one_message_and_2(self, place, capfd, arguments):
        assert run(arguments) == 2
        said = capfd.readouterr()
        assert said.out == ""
        assert said.err.count("Error: ") == 1
        assert "Traceback" not in said.err

        assert run([*arguments, "--json"]) == 2
        assert json.loads(capfd.readouterr().out)["error"]

    @pytest.mark.parametrize(
        ("module", "said"),
        [
            ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
            ("raise ValueError('first\\nsecond')", "ValueError: first second"),
            ("raise SystemExit(0)", "could not be loaded: SystemExit: 0"),
            ("def broken(:", "SyntaxError"),
        ],
    )
    def test_what_cannot_be_loaded_is_one_line_and_1(self, place, capfd, module, said):
        (place / "broken.py").write_text(module)

        assert run(["status", "-f", "broken.py"]) == 1
        (line,) = capfd.readouterr().err.splitlines()
        assert line.startswith("Error: broken.py could not be loaded: ")
        assert said in line

    def test_a_traceback_is_shown_when_it_is_asked_for(self, place, capfd):
        (place / "broken.py").write_text("raise ValueError('deep inside')")

        assert run(["status", "-f", "broken.py", "--debug"]) == 1
        assert "Traceback" in capfd.readouterr().err

    @pytest.mark.parametrize("home", ["", "relative", "/dev/null", "/does/not/exist"])
    def test_an_instance_that_is_not_there_is_named(self, in_shop, capfd, monkeypatch, home):
        monkeypatch.setenv("DAGSTER_HOME", home)

        assert run(["status", "-m", "trust_shop"]) == 2
        assert "DAGSTER_HOME" in capfd.readouterr().err

    def test_an_instance_that_cannot_be_opened_is_our_own_failure(self, in_shop, capfd, monkeypatch, tmp_path):
        (tmp_path / "dagster.yaml").write_text("storage: {sqlite: {base_dir: /dev/null/x}}")
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))

        assert run(["status", "-m", "trust_shop"]) == 1
        assert "cannot be opened" in capfd.readouterr().err

    def test_a_contract_that_cannot_be_meant_is_bad_input(self, place, capfd):
        (place / "unmeant.py").write_text(
            "import dagster as dg\n"
            "from dashboard_trust.contracts.model import DashboardContract, RequiredAsset\n"
            "from dashboard_trust.enforcement.gated_assets import trust, trusted_dashboard\n"
            "contract = DashboardContract('dash', 'team:x', requires=(RequiredAsset('raw/absent'),))\n"
            "mart = dg.AssetSpec('mart')\n"
            "dash = trusted_dashboard(contract, lambda c, v: None, deps=['mart'])\n"
            "defs = dg.Definitions([mart, dash])\n"
            "contract2 = DashboardContract('dash', 'team:x', freshness={'mrat': __import__('datetime').timedelta(1)})\n"
            "defs = trust(dg.Definitions([mart, trusted_dashboard(contract2, lambda c, v: None, deps=['mart'])]))\n"
        )

        assert run(["status", "-f", "unmeant.py"]) == 2
        assert "did you mean 'mart'?" in capfd.readouterr().err

    def test_a_cycle_is_bad_input(self, place, capfd):
        (place / "cycle.py").write_text(
            "import dagster as dg\n"
            "@dg.asset(deps=['b'])\ndef a(): ...\n"
            "@dg.asset(deps=['a'])\ndef b(): ...\n"
            "defs = dg.Definitions([a, b])\n"
        )

        assert run(["status", "-f", "cycle.py"]) == 2
        assert "do not fit together" in capfd.readouterr().err
