"""What `incidents.memory` assumes of Dagster's key-value store, which is internal."""

from __future__ import annotations

import dagster as dg


def test_values_are_kept_by_key_and_outlive_the_instance_object(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.daemon_cursor_storage.set_cursor_values({"ours": "1", "other": "2"})
        instance.daemon_cursor_storage.set_cursor_values({"ours": "3" * 200_000})

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        assert instance.daemon_cursor_storage.get_cursor_values({"ours"}) == {"ours": "3" * 200_000}
        assert instance.daemon_cursor_storage.get_cursor_values({"absent"}) == {}


def test_an_ephemeral_instance_keeps_values_too():
    with dg.DagsterInstance.ephemeral() as instance:
        instance.daemon_cursor_storage.set_cursor_values({"ours": "1"})

        assert instance.daemon_cursor_storage.get_cursor_values({"ours"}) == {"ours": "1"}
