"""An earlier version is put back as it was, tables and page together, or nothing is changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlglot import parse_one

from dashboard_trust.errors import InvalidInputError, PublicationError
from dashboard_trust.publication.journal import read_publications
from dashboard_trust.publication.releases import read_current
from dashboard_trust.publication.swap import KEPT_VERSIONS, repair
from dashboard_trust.publication.tables import PublishedTable

REVENUE = PublishedTable("marts.revenue_daily", "published.revenue_daily")
DAY, EARLIER = "2026-11-20", "2026-11-19"


@pytest.fixture
def versions(shop):
    """What readers saw at each version: three were published."""
    shown = {}
    for amount in (1, 2, 3):
        shop.set(amount)
        number = shop.publish().number
        shown[number] = shop.shown()
    assert len({str(found) for found in shown.values()}) == 3
    return shown


def log(shop):
    with shop.warehouse.session("test") as session:
        return read_publications(session, "daily_revenue")


# What must not happen.


def refused(shop, error, match, **options):
    before = shop.seen()
    with pytest.raises(error, match=match):
        shop.roll_back(**options)
    assert shop.seen() == before


def test_a_version_that_is_not_there_is_not_put_back(shop, versions):
    refused(shop, InvalidInputError, "has no version 7 to put back; it has 1 to 3", to=7)
    refused(shop, InvalidInputError, "has no version 0 to put back; it has 1 to 3", to=0)
    refused(shop, InvalidInputError, "shows version 3 already", to=3)


def test_what_was_never_published_has_nothing_to_put_back(shop):
    with pytest.raises(InvalidInputError, match="daily_revenue was never published"):
        shop.roll_back()


def test_there_is_nothing_before_the_first_version(shop):
    shop.publish()

    refused(shop, InvalidInputError, "has no version before this one to put back")


def test_after_an_alter_nothing_is_put_back(shop, versions):
    shop.run("ALTER TABLE published.pipeline_daily ADD COLUMN margin DOUBLE")

    refused(shop, PublicationError, r"published\.pipeline_daily has other columns than what is kept of it")


def test_after_an_alter_that_was_published_nothing_from_before_it_is_put_back(shop, versions):
    for name in ("marts", "published"):
        shop.run(f"ALTER TABLE {name}.pipeline_daily ADD COLUMN margin DOUBLE")
    shop.run("UPDATE marts.pipeline_daily SET margin = 1")
    shop.publish()
    shop.run("UPDATE marts.pipeline_daily SET margin = 2")
    shop.publish()

    refused(shop, PublicationError, "what is kept of version 3 is not what it held", to=3)
    assert shop.roll_back(to=4).changed


def test_what_was_tampered_with_is_not_put_back(shop, versions):
    shop.run("UPDATE trust_history.published__pipeline_daily SET amount = 9")

    refused(shop, PublicationError, f"published.pipeline_daily {DAY}: what is kept of version 2 is not what it held")


def test_what_another_engine_fingerprinted_is_not_put_back(shop, versions):
    (engine,) = {s.fingerprint.engine for version in log(shop) for own in version.changes.values() for s in own}
    shop.run(f"UPDATE trust.publications SET tables = REPLACE(tables, '@{engine}', '@duckdb 1.1')")

    refused(shop, PublicationError, r"version 2 was fingerprinted by duckdb 1\.1, and this is")


def test_a_veto_before_the_commit_leaves_everything(shop, versions):
    told = []

    def veto(parts):
        told.append(parts)
        raise RuntimeError("not now")

    refused(shop, RuntimeError, "not now", before_commit=veto)
    assert told == [[DAY]]


def test_a_version_no_longer_kept_is_refused(shop):
    for amount in range(KEPT_VERSIONS + 2):
        shop.set(amount)
        shop.publish()

    refused(shop, InvalidInputError, "version 1 is not kept; 2 and newer are", to=1)
    assert shop.roll_back(to=2).restores == 2
    assert float(shop.shown()[0][0][1]) == 1


def test_what_can_be_put_back_is_all_that_is_kept(shop):
    for amount in range(KEPT_VERSIONS + 4):
        shop.set(amount)
        newest = shop.publish().number
        kept = {number for number, _ in shop.run("SELECT _replaced_by, 0 FROM trust_history.published__revenue_daily")}
        assert kept == set(range(max(2, newest - KEPT_VERSIONS + 1), newest + 1))
        assert len(list((shop.site / "releases").iterdir())) == min(newest, KEPT_VERSIONS + 1)


# What should.


def test_by_default_it_is_the_version_before(shop, versions):
    restored = shop.roll_back(note="it's wrong \\ 'ü'\n\"yes\"")

    assert (restored.number, restored.restores, restored.changed) == (4, 2, True)
    assert restored.parts == (DAY,)
    assert shop.shown() == versions[2]
    assert log(shop)[0] == restored
    assert log(shop)[0].note == "it's wrong \\ 'ü'\n\"yes\""


def test_the_first_version_over_several(shop, versions):
    shop.roll_back(to=1)

    assert shop.shown() == versions[1]


def test_twice_steps_back_twice(shop, versions):
    shop.roll_back()
    assert shop.roll_back().restores == 1

    assert shop.shown() == versions[1]
    refused(shop, InvalidInputError, "has no version before this one to put back")
    refused(shop, InvalidInputError, "shows version 1 already", to=1)


def test_and_forward_again(shop, versions):
    shop.roll_back(to=1)
    shop.roll_back(to=3)
    assert shop.shown() == versions[3]

    shop.roll_back()
    assert shop.shown() == versions[2]


def test_after_a_rollback_the_next_publication_has_what_was_put_back_before_it(shop, versions):
    shop.roll_back()
    shop.set(4)
    shop.publish()

    shop.roll_back()

    assert shop.shown() == versions[2], "and not version 3, which was undone"


def test_a_condition_in_the_engines_own_words_is_kept_as_it_is(shop):
    said = {
        "duckdb": "strftime(report_date, '%Y-%m-%d') = '{}'",
        "postgres": "to_char(report_date, 'YYYY-MM-DD') = '{}'",
    }
    with shop.warehouse.session("test") as session:
        dialect = session.dialect
    for day in (EARLIER, DAY):
        shop.publish({REVENUE: {day: parse_one(said[dialect].format(day), dialect=dialect)}})

    assert shop.roll_back().restores == 1
    assert [str(day) for (day,) in shop.run("SELECT DISTINCT report_date FROM published.revenue_daily")] == [EARLIER]


def test_a_day_that_the_version_did_not_have_disappears(shop):
    shop.publish(shop.days(EARLIER))
    before = shop.shown()
    shop.publish(shop.days(EARLIER, DAY))
    assert len(shop.shown()[0]) == 2

    assert shop.roll_back().parts == (DAY,)
    assert shop.shown() == before
    shop.roll_back(to=2)
    assert len(shop.shown()[0]) == 2


def test_only_what_changed_since_is_touched(shop):
    shop.publish(shop.days(EARLIER, DAY))
    shop.set(5)
    shop.publish(shop.days(EARLIER, DAY))
    shop.run("UPDATE published.revenue_daily SET orders = 77 WHERE report_date = DATE '2026-11-19'")

    shop.roll_back()

    assert [int(orders) for _, _, orders in shop.shown()[0]] == [77, 4]


def test_days_changed_by_different_versions_all_go_back(shop):
    shop.publish(shop.days(EARLIER, DAY))
    first = shop.shown()
    shop.set(2)
    shop.publish(shop.days(DAY))
    shop.set(3, EARLIER)
    shop.publish(shop.days(EARLIER))
    shop.set(4)
    shop.publish(shop.days(DAY, pipeline=[]))

    assert shop.roll_back(to=1).parts == (EARLIER, DAY)
    assert shop.shown() == first


def test_a_table_without_partitions_goes_back_whole(shop):
    whole = {table: {"": None} for table in shop.days(DAY)}
    shop.publish(whole)
    first = shop.shown()
    shop.run("DELETE FROM marts.revenue_daily", "DELETE FROM marts.pipeline_daily WHERE stage = 'lead'")
    shop.publish(whole)

    shop.roll_back()

    assert shop.shown() == first


def test_a_version_that_differs_in_its_page_alone_goes_back_too(shop):
    shop.publish()
    before = shop.shown()
    shop.publish(to=replace(shop.destination, render=lambda _: "a broken look"))

    # Even by a process that would still render it as the broken one was.
    assert shop.roll_back(of=replace(shop.destination, render=lambda _: "a broken look")).changed
    assert shop.shown() == before


def test_a_page_that_was_lost_is_rendered_from_what_is_put_back(shop, versions):
    wanted = next(version for version in log(shop) if version.number == 1)
    (shop.site / "releases" / wanted.release / "index.html").write_text("dam")

    assert shop.roll_back(to=1).release == wanted.release
    assert shop.shown() == versions[1]


def test_publishing_what_was_undone_is_a_new_version(shop, versions):
    shop.roll_back()

    assert shop.publish().number == 5
    assert shop.shown() == versions[3]


def test_killed_before_the_commit_nothing_went_back(shop, versions, kill):
    before = shop.seen()

    kill(shop, "roll_back", "before_commit")

    assert shop.seen() == before
    repair(shop.destination)
    assert shop.seen() == before


def test_killed_between_commit_and_swap_repair_puts_the_page_back(shop, versions, kill):
    kill(shop, "roll_back", "instead_of_swap")

    assert shop.shown() == (*versions[2][:2], versions[3][2])
    assert repair(shop.destination) == read_current(shop.site)
    assert shop.shown() == versions[2]
    assert log(shop)[0].restores == 2
