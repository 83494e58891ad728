"""A connector as a process that speaks the Airbyte protocol: JSON lines on its stdout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dashboard_trust.errors import SyncFailedError
from dashboard_trust.ingestion.child import tied

Message = Mapping[str, Any]
LONGEST_WORD = 500


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connector ended; ``malformed`` is the first line that the protocol does not know."""

    exit_code: int
    last_words: str
    malformed: str | None


@dataclass(frozen=True, slots=True)
class Connector:
    """A connector's program and configuration.

    ``folder`` is private and for this run: the configuration, secrets included, is written there.
    ``started`` hears of every process, so that another thread can `kill` it.
    """

    command: tuple[str, ...]
    config: Mapping[str, Any]
    folder: Path
    started: Callable[[subprocess.Popen[bytes]], None] = lambda process: None

    def spec(self) -> Mapping[str, Any]:
        """Return the schema of the configuration."""
        return self._ask("spec", [], "spec")

    def check(self) -> None:
        """Raise `SyncFailedError` with the connector's own word if it cannot reach its source."""
        answer = self._ask("check", self._config(), "connectionStatus")
        if answer.get("status") != "SUCCEEDED":
            raise SyncFailedError(f"check failed: {shorten(answer.get('message') or answer)}")

    def discover(self) -> dict[str, dict[str, Any]]:
        """Return the catalog's streams by name; raise `SyncFailedError` if there is no catalog."""
        catalog = self._ask("discover", self._config(), "catalog")
        return {stream["name"]: stream for stream in catalog["streams"]}

    def read(self, streams: Iterable[Mapping[str, Any]], hear: Callable[[Message], None]) -> Ending:
        """Read ``streams`` (of the catalog) in full, handing every message to ``hear``."""
        entries = [
            {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"} for stream in streams
        ]
        catalog = self._write("catalog.json", {"streams": entries})
        return self._run(["read", *self._config(), "--catalog", str(catalog)], hear)

    def _ask(self, command: str, options: list[str], key: str) -> Mapping[str, Any]:
        answers: list[Mapping[str, Any]] = []
        errors: list[str] = []

        def hear(message: Message) -> None:
            if key in message:
                answers.append(message[key])
            _, error = trace_error(message)
            errors.extend([error] if error else [])

        ending = self._run([command, *options], hear)
        if ending.exit_code == 0 and answers:
            return answers[-1]
        why = errors[0] if errors else ending.last_words or "it said nothing"
        raise SyncFailedError(f"{command} failed: {why} (connector exit code {ending.exit_code})")

    def _run(self, arguments: list[str], hear: Callable[[Message], None]) -> Ending:
        with tempfile.TemporaryFile() as stderr:
            process = subprocess.Popen(
                tied([*self.command, *arguments]),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )
            try:
                self.started(process)
                assert process.stdout is not None
                with process.stdout as stdout:
                    noise, malformed = _listen(stdout, hear)
                exit_code = process.wait()
            finally:
                kill(process)
            return Ending(exit_code, _last_line(stderr) or noise, malformed)

    def _config(self) -> list[str]:
        return ["--config", str(self._write("config.json", self.config))]

    def _write(self, name: str, content: Mapping[str, Any]) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(json.dumps(content))
        return path


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a connector and the processes it started, and wait for it; one that ended is left alone."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def trace_error(message: Message) -> tuple[str | None, str | None]:
    """Return the stream (None: the connector as a whole) and the words of a TRACE ERROR, if it is one."""
    if message.get("type") != "TRACE" or message["trace"]["type"] != "ERROR":
        return None, None
    error = message["trace"]["error"]
    stream = (error.get("stream_descriptor") or {}).get("name")
    words = [word for word in (error.get("message"), error.get("internal_message")) if word]
    return stream, shorten(": ".join(dict.fromkeys(shorten(word) for word in words)) or error)


def shorten(word: object) -> str:
    """Return ``word`` as one line of bounded length, without the full stop at its end."""
    return " ".join(str(word).split())[:LONGEST_WORD].rstrip(".")


def _listen(stdout: IO[bytes], hear: Callable[[Message], None]) -> tuple[str, str | None]:
    noise, malformed = "", None
    for line in stdout:
        try:
            message = json.loads(line)
        except ValueError:
            noise = shorten(line.decode(errors="replace")) or noise
            # Other text is the log of a library. A broken object may have been a record.
            if line.lstrip().startswith(b"{"):
                malformed = malformed or noise
            continue
        try:
            if isinstance(message, dict):
                noise = shorten(message["log"]["message"]) if message["type"] == "LOG" else noise
                hear(message)
        except (KeyError, TypeError, AttributeError):
            malformed = malformed or shorten(line.decode(errors="replace"))
    return noise, malformed


def _last_line(stderr: IO[bytes]) -> str:
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - 8192))
    lines = stderr.read().decode(errors="replace").split("\n")
    return next((shorten(line) for line in reversed(lines) if line.strip()), "")
