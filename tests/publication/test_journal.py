from __future__ import annotations

import datetime as dt

import pytest
from sqlglot import exp

from dashboard_trust.publication.journal import Publication, append_publication, prepare_log, read_publications
from dashboard_trust.publication.tables import WrittenSlice
from dashboard_trust.warehouses.fingerprints import Fingerprint
from dashboard_trust.warehouses.session import column

NOON = dt.datetime(2026, 11, 21, 12, 0, 0, 123456, dt.UTC)
MOMENT = exp.cast(exp.convert("2026-11-20 00:00:00+00"), "TIMESTAMPTZ")
CONDITIONS = {
    "": None,
    "a day": column("day").eq(exp.cast(exp.convert("2026-11-20"), "DATE")),
    "a window": exp.and_(column("At") >= MOMENT, column("At") < MOMENT),
    "it's a 'text' \\ \n ü": exp.cast(column('odd "name"'), "TEXT").eq("it's \\ 'ü'\n"),
}


@pytest.mark.parametrize("engine", ["duckdb_shop", "postgres_shop"])
def test_what_was_written_is_what_is_read(request, engine):
    holds = Fingerprint(7, "0123456789abcdef", "duckdb 2.0")
    target = 'published."Odd ""name"""'
    changes = {target: tuple(WrittenSlice(target, part, where, holds, True) for part, where in CONDITIONS.items())}
    first = Publication("dash", 1, "abc", NOON, changes, None, "")
    second = Publication("dash", 2, "def", NOON, {}, 1, "it's \\ 'ü'\n; --")
    other = Publication("it's another", 7, "abc", NOON, {})

    with request.getfixturevalue(engine).warehouse.session("test") as session:
        prepare_log(session)
        for publication in (first, other, second):
            append_publication(session, publication)
        prepare_log(session)

        assert read_publications(session, "dash") == (second, first)
        assert read_publications(session, "dash", newest=1) == (second,)
        assert read_publications(session, "it's another") == (other,)
        assert read_publications(session, "a third") == ()


def test_a_warehouse_without_a_log_has_no_publications(shop):
    with shop.warehouse.session("test") as session:
        assert read_publications(session, "dash") == ()
