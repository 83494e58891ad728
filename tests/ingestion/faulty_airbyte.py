"""The loopback Airbyte in this process, with faults between it and whoever asks."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from dagster_airbyte import AirbyteWorkspace

from dashboard_trust.ingestion.airbyte_server import build_app
from dashboard_trust.ingestion.connections import Workspace


@dataclass
class Fault:
    """What becomes of requests of a method whose path has this part, so many times (None: always).

    ``unheard``: the server does what is asked, and only its answer is lost.
    """

    method: str
    part: str
    times: int | None = None
    status: int | None = None
    unheard: bool = False
    seconds: float = 0.0
    change: Callable[[Any], Any] | None = None

    def applies(self, method: str, path: str) -> bool:
        return self.times != 0 and method == self.method and self.part in path


@dataclass
class FaultyAirbyte:
    """A server that is asked by the unmodified resource of dagster-airbyte; `asked` is every request it heard."""

    workspace: Workspace
    port: int
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def resource(self, **options: Any) -> AirbyteWorkspace:
        base = f"http://127.0.0.1:{self.port}"
        options = {"request_timeout": 2, "request_max_retries": 1, "request_retry_delay": 0.01, **options}
        return AirbyteWorkspace(
            rest_api_base_url=f"{base}/api/public/v1",
            configuration_api_base_url=f"{base}/api/v1",
            workspace_id=self.workspace.id,
            poll_interval=0.05,
            **options,
        )

    def fault(self, method: str, part: str, **what: Any) -> None:
        self.faults.append(Fault(method, part, **what))

    def starts(self) -> int:
        return sum(1 for method, path in self.asked if method == "POST" and path.endswith("public/v1/jobs"))


@contextmanager
def faulty_airbyte(workspace: Workspace) -> Iterator[FaultyAirbyte]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        faulty = FaultyAirbyte(workspace, listening.getsockname()[1])
        app = _between(build_app(workspace), faulty)
        config = uvicorn.Config(app, loop="asyncio", http="h11", ws="none", lifespan="off", log_level="critical")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield faulty
        finally:
            server.should_exit = server.force_exit = True
            thread.join(10)


def _between(app, faulty):
    async def asgi(scope, receive, send):
        method, path = scope["method"], scope["path"]
        faulty.asked.append((method, path))
        fault = next((one for one in faulty.faults if one.applies(method, path)), None)
        if fault is None:
            await app(scope, receive, send)
            return
        fault.times = None if fault.times is None else fault.times - 1
        status, body = fault.status or 200, b"{}"
        if fault.status is None or fault.unheard:
            heard: list[dict[str, Any]] = []

            async def keep(message):
                heard.append(message)

            await app(scope, receive, keep)
            status = fault.status or heard[0]["status"]
            body = b"".join(message.get("body", b"") for message in heard[1:])
        if fault.change is not None and status < 400:
            body = json.dumps(fault.change(json.loads(body))).encode()
        if fault.seconds:
            await asyncio.sleep(fault.seconds)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return asgi
