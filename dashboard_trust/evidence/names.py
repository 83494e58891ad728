"""The names under which our own facts travel in Dagster's metadata and tags."""

from __future__ import annotations

GATE_CHECK = "upstream_ready"
"""The asset check every gated step evaluates first, on each of its assets."""

DAYS = "dashboard_trust/days"
"""On a materialization: version by ISO day. On a check result: ``[passed, reason]`` by ISO day."""

CHANGED_DAYS = "dashboard_trust/changed_days"
"""On a materialization: the days that changed, are gone, or were empty between others and are not any more, each with
when that was first seen."""

DAY_RECORD = "dashboard_trust/day_record"
"""On a materialization: what the next count of its days goes on from."""

CONSUMED = "dashboard_trust/consumed"
"""On a materialization: the version of each direct input its gate had judged, by `Input.name`."""

LEFT_OUT = "dashboard_trust/left_out"
"""On a materialization: the assets that its step did without, since a minimum was met (`at_least`)."""

SLICES = "dashboard_trust/slices"
"""On an asset's definition: the upstream tables of which it reads only its own days, with the column."""

TIME_COLUMN = "dashboard_trust/time_column"
"""On the definition of an asset without partitions: the column that says of which UTC day a row is."""

SECTIONS = "dashboard_trust/unmet_sections"
"""On a dashboard's materialization: the sections published with a label."""

WORD = "dashboard_trust/word"
"""On an observation: what a person said of this asset (`Word`)."""

RECEIPT = "dashboard_trust/receipt"
"""On an observation: what a run is about to send. On a materialization: the receipt key of what was sent."""

FINGERPRINT = "dashboard_trust/fingerprint"
"""On a materialization: what the table held for that partition when it was built."""

CHANGED_AT = "dashboard_trust/table_changed_at"
"""On a materialization: when the engine said that the table had last changed, as its fingerprint was taken."""

EXPIRES = "dashboard_trust/expires"
"""On a result of a `FRESHNESS` check: until when it can be believed (ISO); then somebody has to look again."""

FRESHNESS = "freshness"
"""The check by which dbt says how fresh a source is."""

SKIPPED = "dashboard_trust/skipped"
"""On an observation: what its run skipped because of something above, checks by name, or (empty) the asset itself."""

SINCE = "dashboard_trust/published_at"
"""On a dashboard's materialization: when what it shows became visible."""

REASONS = "dashboard_trust/reasons"
"""On the failure of a step of checks: why each has no result, by check and part; ``""`` stands for all of either."""

OWNERS = "dashboard_trust/owners"
"""On a check's definition: who acts when it ``failed``, and when it ``errored``; else the asset's owner."""

CORRECTED = "dashboard_trust/corrected"
"""On a dashboard's materialization: when and why what was published of a partition was published anew."""

FAILURE = "dashboard_trust/failure"
"""On an observation: what failed in its run, of which class it is, and what is done about it (`Failure`)."""

FILES = "dashboard_trust/files"
"""On a materialization: the files it was loaded from, by path: token of the store, sha256, size, rows, refused."""

EXPECTED = "dashboard_trust/expected"
"""On an asset's definition: what file each partition is loaded from, and by when it is expected, if that is known."""

LATE = "dashboard_trust/late"
"""On a materialization: which of its files came after they were expected, and when."""

UNEXPECTED = "dashboard_trust/unexpected_files"
"""On an observation: files that are of no partition, by path, with why."""

ARRIVAL = "dashboard_trust/arrival"
"""A tag of a run: the version of the files that it was asked to load."""
