"""The demo's source: CSV files as streams of the Airbyte protocol, full refresh only.

A program of its own, run by its path: nothing but the standard library, so that it starts at once.
Every value is delivered as the text that stands in the file; a missing one is not made up.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

PRIMARY_KEYS = {
    "payments": "payment_id",
    "orders": "order_id",
    "refunds": "refund_id",
    "customers": "customer_id",
}
SPECIFICATION = {
    "connectionSpecification": {
        "type": "object",
        "required": ["folder"],
        "properties": {"folder": {"type": "string", "description": "Where <stream>.csv files are."}},
    }
}


class SourceFileError(Exception):
    """A source file that cannot be delivered as it stands; names the file and the line."""

    def __init__(self, path: Path, line: int | None, problem: str) -> None:
        super().__init__(f"{path.name}{f' line {line}' if line else ''}: {problem}")
        self.stream = path.stem


def read_rows(path: Path) -> Iterator[list[str]]:
    """Yield the header, then each row with as many values as the header; blank lines are no rows.

    Raises:
        SourceFileError: The file is missing, unreadable, not UTF-8, or a row is ragged.
    """
    try:
        with path.open("rb") as file:
            yield from _checked(path, csv.reader(_lines(path, file), strict=True))
    except OSError as error:
        raise SourceFileError(path, None, error.strerror or str(error)) from None


def _checked(path: Path, reader: Any) -> Iterator[list[str]]:
    header: list[str] = []
    try:
        for row in reader:
            if not header:
                header = _header(path, row)
            if row and len(row) != len(header):
                problem = f"{len(row)} values, but the header has {len(header)} columns"
                raise SourceFileError(path, reader.line_num, problem)
            if row:
                yield row
    except csv.Error as error:
        raise SourceFileError(path, reader.line_num, str(error)) from None
    if not header:
        raise SourceFileError(path, 1, "no header")


def _header(path: Path, row: list[str]) -> list[str]:
    if not row or "" in row:
        raise SourceFileError(path, 1, "a column of the header has no name")
    if len(set(row)) != len(row):
        raise SourceFileError(path, 1, "a column stands in the header twice")
    return row


def _lines(path: Path, file: Any) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        try:
            # A byte order mark can only be at the very start.
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise SourceFileError(path, number, f"not UTF-8 ({error.reason})") from None


def discover(folder: Path) -> list[dict[str, Any]]:
    """Return the catalog's streams, with the columns that the headers have now."""
    streams = []
    for stream, key in PRIMARY_KEYS.items():
        columns = next(read_rows(folder / f"{stream}.csv"))
        schema = {"type": "object", "properties": {name: {"type": ["null", "string"]} for name in columns}}
        streams.append(
            {
                "name": stream,
                "json_schema": schema,
                "supported_sync_modes": ["full_refresh"],
                "source_defined_primary_key": [[key]],
            }
        )
    return streams


def read(folder: Path, streams: Sequence[str]) -> bool:
    """Deliver each stream; return whether every one of them is complete."""
    # One stream's failure does not keep the others from being delivered.
    complete = [_read_stream(folder, stream) for stream in streams]
    return all(complete)


def _read_stream(folder: Path, stream: str) -> bool:
    _say_status(stream, "STARTED")
    try:
        rows = read_rows(folder / f"{stream}.csv")
        header = next(rows)
        _say_status(stream, "RUNNING")
        for row in rows:
            data = dict(zip(header, row, strict=True))
            _say("RECORD", "record", {"stream": stream, "data": data, "emitted_at": _now()})
    except SourceFileError as error:
        _say_error(error)
        _say_status(stream, "INCOMPLETE")
        return False
    _say_status(stream, "COMPLETE")
    return True


def _say_status(stream: str, status: str) -> None:
    word = {"stream_descriptor": {"name": stream}, "status": status}
    _say("TRACE", "trace", {"type": "STREAM_STATUS", "emitted_at": _now(), "stream_status": word})


def _say_error(error: SourceFileError) -> None:
    word = {
        "message": str(error),
        "failure_type": "config_error",
        "stream_descriptor": {"name": error.stream},
    }
    _say("TRACE", "trace", {"type": "ERROR", "emitted_at": _now(), "error": word})


def _say(kind: str, key: str, body: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps({"type": kind, key: body}) + "\n")


def _now() -> int:
    return time.time_ns() // 1_000_000


def _answer_check(folder: Path) -> None:
    try:
        discover(folder)
        _say("CONNECTION_STATUS", "connectionStatus", {"status": "SUCCEEDED"})
    except SourceFileError as error:
        _say("CONNECTION_STATUS", "connectionStatus", {"status": "FAILED", "message": str(error)})


def _answer_discover(folder: Path) -> int:
    try:
        _say("CATALOG", "catalog", {"streams": discover(folder)})
    except SourceFileError as error:
        _say_error(error)
        return 1
    return 0


def main(arguments: Sequence[str]) -> int:
    """Answer one command of the protocol (spec, check, discover, read); return the exit code."""
    command, options = arguments[0], dict(zip(arguments[1::2], arguments[2::2], strict=True))
    if command == "spec":
        _say("SPEC", "spec", SPECIFICATION)
        return 0
    folder = Path(json.loads(Path(options["--config"]).read_text())["folder"])
    if command == "check":
        _answer_check(folder)
        return 0
    if command == "discover":
        return _answer_discover(folder)
    catalog = json.loads(Path(options["--catalog"]).read_text())
    return 0 if read(folder, [entry["stream"]["name"] for entry in catalog["streams"]]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
