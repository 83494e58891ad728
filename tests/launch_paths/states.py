"""Chains on a home of their own, each brought into its state by real runs."""

import datetime as dt
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import time_machine
from chains import BAD, CHAINS, DAYS, TABLES, connect, prefix

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.words import hold

HERE = Path(__file__).parent
BOARDS = ["dashboard", "dashboard_by_day"]
AN_HOUR_LATER = dt.datetime.fromisoformat(f"{BAD}T00:00Z") + dt.timedelta(days=1, hours=1)
SETTINGS = {
    "telemetry": {"enabled": False},
    "python_logs": {"python_log_level": "CRITICAL"},
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"},
    "run_monitoring": {"enabled": False},  # nobody shall tidy away the run that never ends
}


class Chains:
    """The chains of a project, on the instance and the warehouse that the environment names."""

    def __init__(self, project: str, instance: dg.DagsterInstance) -> None:
        self.project, self.instance = project, instance
        spec = importlib.util.spec_from_file_location(project, HERE / f"{project}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.defs = module.defs

    def run(
        self, *assets: str, checks: list[str] | None = None, day: str = BAD, to: str | None = None
    ) -> dg.ExecuteInProcessResult:
        """Run assets in this process, with every check on them or with just these (``asset:check``)."""
        named = None if checks is None else {_check_key(check) for check in checks}
        job = self.defs.resolve_implicit_global_asset_job_def().get_subset(
            asset_selection={dg.AssetKey.from_user_string(asset) for asset in assets}, asset_check_selection=named
        )
        tags = {"dagster/asset_partition_range_start": day, "dagster/asset_partition_range_end": to}
        return job.execute_in_process(
            instance=self.instance,
            partition_key=None if to else day,
            tags=tags if to else None,
            raise_on_error=False,
        )

    def build(self) -> None:
        """Build every day and publish the bad one, but for what is to be missing or never run."""
        with connect("set up") as connection:
            connection.execute(TABLES)
            orders = [(prefix(c), day, n, f"{n}.50") for c in CHAINS for day in DAYS for n in range(1, 5)]
            connection.executemany("INSERT INTO source VALUES (?, ?, ?, ?)", orders)
        layers = ["raw", "mart", *BOARDS]
        for day in set(DAYS) - {BAD}:
            assert self.run(*(f"{prefix(chain)}/{layer}" for chain in CHAINS for layer in layers[:2]), day=day).success
        whole = [chain for chain in CHAINS if chain not in ("missing", "never run", "overdue")]
        assert self.run(*(f"{prefix(chain)}/{layer}" for chain in whole for layer in layers)).success
        assert self.run("missing/raw", "never_run/raw").success
        assert self.run("never_run/mart", checks=[]).success
        with time_machine.travel(AN_HOUR_LATER):
            assert self.run(*(f"overdue/{layer}" for layer in layers)).success

    def spoil(self) -> None:
        """Bring each chain into the failure it is named after, on the bad day."""
        for chain in ("failed", "mended"):
            self._set_fault(chain, "half is lost")
            self._run_and_expect(False, f"{chain}/raw")
            self._run_and_expect(True, f"{chain}/mart")

        self._change("UPDATE source SET amount = 'n/a' WHERE chain = 'errored' AND order_no = 1 AND day = ?")
        self._run_and_expect(True, "errored/raw")
        self._run_and_expect(False, "errored/mart")

        self._change("UPDATE source SET amount = '9.99' WHERE chain = 'built_from_an_older_version' AND day = ?")
        self._run_and_expect(True, "built_from_an_older_version/raw")

        self._run_and_expect(True, "evaluated_on_an_older_version/mart", checks=[])

        self._set_fault("planned_but_unfinished", "its process is killed")
        self._run_and_be_killed("planned_but_unfinished/mart")

        self._set_fault("partial_partition_range", "left out")
        self._run_and_expect(True, "partial_partition_range/mart", checks=[], day=DAYS[0], to=DAYS[-1])
        for day in set(DAYS) - {BAD}:
            self._run_and_expect(True, checks=["partial_partition_range/mart:sums"], day=day)

        by_hand = dg.AssetMaterialization(["reported_without_a_run", "mart"], partition=BAD)
        self.instance.report_runless_asset_event(by_hand)

        for board in BOARDS:
            contract = DashboardContract(f"held_by_a_person/{board}", "team:dashboards")
            hold(self.instance, contract, "ada", "the auditors are in", BAD)

    def mend(self) -> None:
        """Mend the chain that is to be mended."""
        self._change("DELETE FROM faults WHERE chain = 'mended' AND day = ?")
        self._run_and_expect(True, "mended/raw")
        self._run_and_expect(True, "mended/mart")

    def _run_and_expect(self, success: bool, *assets: str, **options) -> None:
        assert self.run(*assets, **options).success is success

    def _run_and_be_killed(self, asset: str) -> None:
        """Run an asset in a process of its own, which does not live to say how the run ended."""
        killed = subprocess.run([sys.executable, __file__, self.project, asset], check=False, capture_output=True)
        assert killed.returncode == -9, killed.stderr.decode()[-2000:]

    def _set_fault(self, chain: str, fault: str) -> None:
        self._change(f"INSERT INTO faults SELECT '{chain}', ?, '{fault}'")

    def _change(self, statement: str) -> None:
        with connect("spoil") as connection:
            connection.execute(statement, [BAD])


def write_settings(home: Path) -> None:
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(json.dumps(SETTINGS))


def _check_key(check: str) -> dg.AssetCheckKey:
    asset, name = check.split(":")
    return dg.AssetCheckKey(dg.AssetKey.from_user_string(asset), name)


if __name__ == "__main__":
    with dg.DagsterInstance.get() as instance:
        Chains(sys.argv[1], instance).run(sys.argv[2])
