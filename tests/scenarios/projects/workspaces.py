"""Code locations served by processes of their own, and what is launched in them as the UI launches it."""

import time
from contextlib import contextmanager, nullcontext

import yaml
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_graphql.cli import execute_query
from dagster_processes import dagster_daemon

LAUNCH = """
mutation ($p: ExecutionParams!) {
  launchRun(executionParams: $p) { __typename ... on LaunchRunSuccess { run { runId } } ... on Error { message } }
}
"""


class Workspace:
    """Code locations that are being served, on an instance."""

    def __init__(self, context, folder):
        self.context, self.instance, self.folder = context, context.instance, folder

    def launch(self, location, job, day=None, assets=None):
        """Launch a job of a location, or some assets of it; return the run's id."""
        selector = {"repositoryLocationName": location, "repositoryName": "__repository__", "pipelineName": job}
        if assets is not None:
            selector |= {
                "assetSelection": [{"path": asset.split("/")} for asset in assets],
                "assetCheckSelection": None,
            }
        tags = [{"key": "dagster/partition", "value": day}] if day else []
        asked = {"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}}
        reply = execute_query(self.context, LAUNCH, {"p": asked})["data"]["launchRun"]
        assert reply["__typename"] == "LaunchRunSuccess", reply
        return reply["run"]["runId"]

    def wait_for(self, *run_ids):
        """Wait until these runs have ended; return whether each went well."""
        end = time.monotonic() + 240
        while not all(self.instance.get_run_by_id(run_id).is_finished for run_id in run_ids):
            if time.monotonic() > end:
                log = self.folder / "daemon.log"
                raise AssertionError(f"{run_ids} never ended: {log.read_text()[-3000:] if log.exists() else ''}")
            time.sleep(0.1)
        return [self.instance.get_run_by_id(run_id).is_success for run_id in run_ids]


@contextmanager
def serve(instance, folder, *locations, daemon=False):
    """Serve the files of these names in a folder, each as a location; with the daemon where runs are queued."""
    files = [{"python_file": {"relative_path": f"{name}.py", "location_name": name}} for name in locations]
    workspace = folder / "workspace.yaml"
    workspace.write_text(yaml.safe_dump({"load_from": files}))
    running = dagster_daemon(instance.root_directory, "-w", str(workspace), log=folder / "daemon.log")
    with (
        running if daemon else nullcontext(),
        WorkspaceProcessContext(instance, WorkspaceFileTarget([str(workspace)])) as context,
    ):
        yield Workspace(context, folder)
