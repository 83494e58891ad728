from __future__ import annotations

from pathlib import Path

import pytest

from dashboard_trust.errors import InvalidInputError
from dashboard_trust.ingestion.connections import Connection, Stream, Workspace

STREAM = Stream("payments", {"properties": {"id": {"type": "string"}}}, ("id", "paid_at"))
CONNECTION = Connection(
    "c1", "shop", ("python", "x.py"), {"folder": "f"}, (STREAM, Stream("orders", {})), Path("landing"), "crm_"
)


def test_a_workspace_survives_json_in_one_line():
    text = Workspace("w", (CONNECTION,)).to_json()

    assert Workspace.from_json(text) == Workspace("w", (CONNECTION,))
    assert "\n" not in text


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": "w", "connections": [{"streams": [], "nmae": 1}]}'])
def test_anything_else_is_refused(text):
    with pytest.raises(InvalidInputError, match="The Airbyte workspace cannot be read"):
        Workspace.from_json(text)


def test_an_unknown_stream_is_named_with_the_nearest():
    assert CONNECTION.stream("payments") is STREAM
    with pytest.raises(InvalidInputError, match="no stream 'order': did you mean 'orders'"):
        CONNECTION.stream("order")
