"""A loopback Airbyte: the part of its API that `dagster_airbyte` calls, for demo and tests.

``python -m dashboard_trust.ingestion.airbyte_server [--config FILE] [--port-file FILE]`` reads a
`Workspace` as JSON (from stdin by default), binds a free port of 127.0.0.1 and writes its number
(to stdout by default) once it listens.
"""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dashboard_trust.ingestion.airbyte_jobs import AlreadyRunningError, Job, JobBoard
from dashboard_trust.ingestion.airbyte_read import StreamRead
from dashboard_trust.ingestion.connections import Connection, Stream, Workspace

REST = "/api/public/v1"
CONFIGURATION = "/api/v1"

Answer = Callable[[Request], Awaitable[Mapping[str, Any]]]


def build_app(workspace: Workspace) -> Starlette:
    """Build the server's application; an unknown id is a 404, a second start a 409."""
    api = _Api(workspace, JobBoard())
    routes: list[tuple[str, str, Answer]] = [
        ("POST", f"{REST}/applications/token", api.token),
        ("GET", f"{REST}/workspaces/{{id}}", api.workspace_details),
        ("GET", f"{REST}/connections", api.connections),
        ("GET", f"{REST}/destinations/{{id}}", api.destination),
        ("GET", f"{REST}/jobs", api.jobs),
        ("POST", f"{REST}/jobs", api.start),
        ("GET", f"{REST}/jobs/{{id:int}}", api.job),
        ("DELETE", f"{REST}/jobs/{{id:int}}", api.cancel),
        ("POST", f"{CONFIGURATION}/connections/get", api.connection_details),
        ("POST", f"{CONFIGURATION}/jobs/get", api.job_evidence),
        ("POST", f"{CONFIGURATION}/stream_statuses/list", api.stream_statuses),
    ]
    return Starlette(routes=[Route(path, _as_json(answer), methods=[method]) for method, path, answer in routes])


def _as_json(answer: Answer) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def respond(request: Request) -> JSONResponse:
        return JSONResponse(await answer(request))

    return respond


class _Api:
    """One method per call; lists are answered whole, so ``next`` is always empty."""

    def __init__(self, workspace: Workspace, board: JobBoard) -> None:
        self._workspace = workspace
        self._board = board

    async def token(self, request: Request) -> Mapping[str, Any]:
        return {"access_token": "loopback"}

    async def workspace_details(self, request: Request) -> Mapping[str, Any]:
        self._check_workspace(request.path_params["id"])
        return {"workspaceId": self._workspace.id, "name": self._workspace.id}

    async def connections(self, request: Request) -> Mapping[str, Any]:
        self._check_workspace(request.query_params.get("workspaceIds", self._workspace.id))
        found = [
            {"connectionId": connection.id, "name": connection.name, "status": "active"}
            for connection in self._workspace.connections
        ]
        return {"data": found, "next": ""}

    async def connection_details(self, request: Request) -> Mapping[str, Any]:
        return _show_connection(self._find_connection((await request.json()).get("connectionId")))

    async def destination(self, request: Request) -> Mapping[str, Any]:
        for connection in self._workspace.connections:
            if _destination_id(connection) == request.path_params["id"]:
                configuration = {"database": connection.database, "schema": connection.schema}
                return {
                    "destinationId": _destination_id(connection),
                    "destinationType": "duckdb",
                    "configuration": configuration,
                }
        raise HTTPException(404, f"no destination {request.path_params['id']!r}")

    async def jobs(self, request: Request) -> Mapping[str, Any]:
        since = request.query_params.get("createdAtStart")
        found = self._board.of(
            request.query_params.get("connectionId"), datetime.fromisoformat(since) if since else None
        )
        return {"data": [_show_job(job) for job in found], "next": ""}

    async def start(self, request: Request) -> Mapping[str, Any]:
        connection = self._find_connection((await request.json()).get("connectionId"))
        try:
            return _show_job(self._board.start(connection))
        except AlreadyRunningError as error:
            raise HTTPException(409, str(error)) from None

    async def job(self, request: Request) -> Mapping[str, Any]:
        return _show_job(self._find_job(request.path_params["id"]))

    async def cancel(self, request: Request) -> Mapping[str, Any]:
        job = self._find_job(request.path_params["id"])
        job.cancel()
        return _show_job(job)

    async def job_evidence(self, request: Request) -> Mapping[str, Any]:
        return _show_evidence(self._find_job((await request.json()).get("id")))

    async def stream_statuses(self, request: Request) -> Mapping[str, Any]:
        asked = await request.json()
        self._check_workspace(asked.get("workspaceId"))
        entries = _show_statuses(self._find_job(asked.get("jobId")))
        start = (asked.get("pagination") or {}).get("rowOffset", 0)
        return {"streamStatuses": entries[start:]}

    def _check_workspace(self, workspace_id: str) -> None:
        if workspace_id != self._workspace.id:
            raise HTTPException(404, f"no workspace {workspace_id!r}")

    def _find_connection(self, connection_id: str) -> Connection:
        for connection in self._workspace.connections:
            if connection.id == connection_id:
                return connection
        raise HTTPException(404, f"no connection {connection_id!r}")

    def _find_job(self, job_id: int) -> Job:
        job = self._board.find(job_id)
        if job is None:
            raise HTTPException(404, f"no job {job_id!r}")
        return job


def _destination_id(connection: Connection) -> str:
    return f"{connection.database}.{connection.schema}"


def _show_connection(connection: Connection) -> Mapping[str, Any]:
    streams = [
        {"stream": {"name": stream.name, "jsonSchema": stream.json_schema}, "config": _show_stream(stream)}
        for stream in connection.streams
    ]
    return {
        "connectionId": connection.id,
        "name": connection.name,
        "prefix": connection.prefix,
        "destinationId": _destination_id(connection),
        "syncCatalog": {"streams": streams},
    }


def _show_stream(stream: Stream) -> Mapping[str, Any]:
    chosen = stream.columns or ()
    return {
        "selected": True,
        "syncMode": "full_refresh",
        "destinationSyncMode": "overwrite",
        "cursorField": [stream.cursor] if stream.cursor else [],
        "primaryKey": [[part] for part in stream.primary_key],
        "fieldSelectionEnabled": stream.columns is not None,
        "selectedFields": [{"fieldPath": [name]} for name in chosen],
    }


def _show_job(job: Job) -> Mapping[str, Any]:
    return {
        "jobId": job.id,
        "status": job.status,
        "jobType": "sync",
        "connectionId": job.connection.id,
        "startTime": job.created_at.isoformat(),
        "lastUpdatedAt": job.updated_at.isoformat(),
        "rowsSynced": sum(_stats(job, stream)["recordsCommitted"] for stream in job.streams),
    }


def _show_evidence(job: Job) -> Mapping[str, Any]:
    attempt: dict[str, Any] = {
        "id": 0,
        "status": job.status,
        "streamStats": [{"streamName": stream.name, "stats": _stats(job, stream)} for stream in job.streams],
    }
    if job.problem:
        failure = {"failureOrigin": "source", "externalMessage": job.problem}
        attempt["failureSummary"] = {"failures": [failure], "partialSuccess": False}
    about = {"id": job.id, "configType": "sync", "configId": job.connection.id, "status": job.status}
    return {"job": about, "attempts": [{"attempt": attempt}]}


def _show_statuses(job: Job) -> list[Mapping[str, Any]]:
    about = {"connectionId": job.connection.id, "jobId": job.id, "attemptNumber": 0, "jobType": "SYNC"}
    return [
        {**about, "streamName": stream.name, "runState": "COMPLETE" if stream.complete else "INCOMPLETE"}
        | ({} if stream.complete else {"incompleteRunCause": "FAILED"})
        for stream in job.streams
    ]


def _stats(job: Job, stream: StreamRead) -> Mapping[str, int]:
    good = job.status == "succeeded"
    return {
        "recordsEmitted": stream.emitted,
        "recordsCommitted": stream.emitted if good else 0,
        "bytesEmitted": stream.bytes,
        "bytesCommitted": stream.bytes if good else 0,
    }


def _write_port(port: int, path: Path | None) -> None:
    if path is None:
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        return
    new = path.with_name(f"{path.name}.new")
    new.write_text(f"{port}\n")
    new.replace(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; connectors that still run die with this process."""
    parser = argparse.ArgumentParser(description="A loopback Airbyte for demo and tests.")
    parser.add_argument("--config", type=Path, help="a workspace as JSON (default: stdin)")
    parser.add_argument("--port-file", type=Path, help="where to write the port (default: stdout)")
    options = parser.parse_args(arguments)
    text = options.config.read_text() if options.config else sys.stdin.read()
    app = build_app(Workspace.from_json(text))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        _write_port(listening.getsockname()[1], options.port_file)
        config = uvicorn.Config(
            app, loop="asyncio", http="h11", ws="none", lifespan="off", log_level="warning",
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
