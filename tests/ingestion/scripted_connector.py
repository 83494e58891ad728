"""A connector that says what its configuration scripts, right or wrong. Standard library only."""

import json
import os
import signal
import sys
import time
from pathlib import Path


def say(**message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def say_status(stream, status):
    word = {"stream_descriptor": {"name": stream}, "status": status}
    say(type="TRACE", trace={"type": "STREAM_STATUS", "stream_status": word})


def say_error(message, stream=None):
    error = {"message": message, **({"stream_descriptor": {"name": stream}} if stream else {})}
    say(type="TRACE", trace={"type": "ERROR", "error": error})


def discover(script):
    catalog = []
    for name, stream in script["streams"].items():
        columns = stream.get("columns", {"id": "integer", "at": "string"})
        properties = {column: {"type": ["null", kind]} for column, kind in columns.items()}
        schema = {"type": "object", "properties": properties}
        catalog.append({"name": name, "json_schema": schema, "supported_sync_modes": ["full_refresh"]})
    say(type="CATALOG", catalog={"streams": catalog})


def read(script, selected):
    if "pid_file" in script:
        Path(script["pid_file"]).write_text(str(os.getpid()))
    for line in script.get("lines", []):
        print(line, flush=True)
    for name in selected:
        stream = script["streams"][name]
        say_status(name, "STARTED")
        for data in stream.get("records", []):
            say(type="RECORD", record={"stream": name, "data": data, "emitted_at": 0})
        if "error" in stream:
            say_error(stream["error"], name)
        if "status" in stream:
            say_status(name, stream["status"])
    if "error" in script:
        say_error(script["error"])
    if script.get("killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(script.get("sleep", 0))
    print(script.get("stderr", ""), file=sys.stderr)
    sys.exit(script.get("exit_code", 0))


options = dict(zip(sys.argv[2::2], sys.argv[3::2], strict=True))
script = json.loads(Path(options["--config"]).read_text())
if sys.argv[1] == "discover":
    discover(script)
else:
    catalog = json.loads(Path(options["--catalog"]).read_text())
    read(script, [entry["stream"]["name"] for entry in catalog["streams"]])
