"""Tables, page and log of a publication become visible together, or none of them does."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard_trust.errors import InvalidInputError, PublicationError, WarehouseError
from dashboard_trust.publication.journal import read_publications
from dashboard_trust.publication.releases import read_current
from dashboard_trust.publication.swap import Destination, repair
from dashboard_trust.publication.tables import PublishedTable
from dashboard_trust.publication.turns import claim_tables, take_turn
from dashboard_trust.warehouses.fingerprints import Fingerprint

REVENUE = PublishedTable("marts.revenue_daily", "published.revenue_daily")
PIPELINE = PublishedTable("marts.pipeline_daily", "published.pipeline_daily")
DAY, EARLIER = "2026-11-20", "2026-11-19"


def newest(shop):
    with shop.warehouse.session("test") as session:
        return read_publications(session, "daily_revenue", newest=1)[0]


# What is not what was checked is not published.


def refused(shop, match, **options):
    before = shop.seen()
    with pytest.raises(PublicationError, match=match):
        shop.publish(**options)
    assert shop.seen() == before


def test_what_nobody_fingerprinted_is_unverified(shop):
    shop.publish()
    shop.set(8)
    known = shop.checked(shop.days(DAY))
    half = {place: found for place, found in known.items() if place[0] == REVENUE.source}
    other_day = {(source, EARLIER): found for (source, _), found in known.items()}

    for expected in ({}, half, other_day):
        refused(shop, f"marts.* for {DAY} is unverified: nothing recorded what was checked", expected=expected)


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("UPDATE marts.revenue_daily SET net_revenue = 9", "1 rows were checked, 1 stand there now, and their content"),
        ("INSERT INTO marts.revenue_daily SELECT * FROM marts.revenue_daily", "1 rows were checked, 2 stand there now"),
        ("DELETE FROM marts.revenue_daily", "1 rows were checked, 0 stand there now"),
    ],
    ids=["content", "doubled", "emptied"],
)
def test_a_mart_changed_behind_dagsters_back_is_caught(shop, tampering, found):
    shop.publish()
    shop.set(8)
    checked = shop.checked(shop.days(DAY))
    shop.run(tampering)

    refused(shop, rf"marts\.revenue_daily for {DAY} is not what was checked: {found}", expected=checked)


def test_a_pair_of_equal_rows_in_place_of_another_pair_is_caught(shop):
    shop.run(f"INSERT INTO marts.pipeline_daily VALUES (DATE '{DAY}', 'lead', 1)")
    shop.publish()
    shop.set(8)
    checked = shop.checked(shop.days(DAY))
    shop.run("UPDATE marts.pipeline_daily SET stage = 'lost' WHERE stage = 'lead'")

    refused(shop, r"marts\.pipeline_daily .* 3 rows were checked, 3 stand there now, and their", expected=checked)


def test_the_first_publication_of_what_was_not_checked_shows_nothing(shop):
    checked = shop.checked(shop.days(DAY))
    shop.set(8)

    with pytest.raises(PublicationError, match="is not what was checked"):
        shop.publish(expected=checked)

    assert shop.run("SELECT COUNT(*) FROM published.revenue_daily") == [(0,)]
    assert repair(shop.destination) is None
    assert not (shop.site / "current").exists()


def test_a_fingerprint_of_another_engine_is_refused_for_that_reason(shop):
    shop.publish()
    shop.set(8)
    known = shop.checked(shop.days(DAY))
    old = {place: replace(found, engine="duckdb 1.1") for place, found in known.items()}

    refused(shop, r"was fingerprinted by duckdb 1\.1, and this is .*, whose hashes differ", expected=old)


def test_an_empty_partition_is_published_only_if_it_was_checked_to_be_empty(shop):
    shop.publish()
    shop.run("DELETE FROM marts.pipeline_daily")
    empty = shop.checked(shop.days(DAY))
    guessed = {**empty, (PIPELINE.source, DAY): Fingerprint(0, "", empty[PIPELINE.source, DAY].engine)}
    refused(shop, "is not what was checked: 0 rows were checked, 0 stand there now", expected=guessed)

    assert shop.publish(expected=empty).changed
    assert shop.run("SELECT COUNT(*) FROM published.pipeline_daily") == [(0,)]


# Whatever fails, it fails as a whole.


def test_a_failed_insert_leaves_all_tables_and_the_page(shop):
    shop.publish()
    shop.set(8)
    before = shop.seen()
    shop.run(
        "ALTER TABLE marts.pipeline_daily ALTER amount TYPE TEXT", "UPDATE marts.pipeline_daily SET amount = 'a lot'"
    )

    with pytest.raises(PublicationError, match=r"amount is (VARCHAR|text) instead of (DECIMAL|numeric)\(18,2\)"):
        shop.publish()

    assert shop.seen() == before


def test_a_constraint_that_fails_in_the_second_table_leaves_the_first(shop):
    shop.publish()
    shop.run("ALTER TABLE published.pipeline_daily ALTER COLUMN stage SET NOT NULL")
    before = shop.seen()
    shop.set(8)
    shop.run("UPDATE marts.pipeline_daily SET stage = NULL")

    with pytest.raises(WarehouseError, match=r"(?i)not.null"):
        shop.publish()

    assert shop.seen() == before


def test_evidence_that_changed_at_the_last_moment_withdraws_everything(shop):
    shop.publish()
    before = shop.seen()
    shop.set(8)

    def refuse() -> None:
        raise RuntimeError("raw/payments was loaded again")

    with pytest.raises(RuntimeError, match="loaded again"):
        shop.publish(before_commit=refuse)

    assert shop.seen() == before


def test_a_page_that_cannot_be_rendered_withdraws_everything(shop):
    shop.publish()
    before = shop.seen()
    shop.set(8)
    broken = Destination("daily_revenue", shop.warehouse, shop.site, lambda _: str(1 / 0))

    with pytest.raises(ZeroDivisionError):
        shop.publish(to=broken)

    assert shop.seen() == before


def test_a_page_that_cannot_be_written_withdraws_everything(shop):
    shop.publish()
    before = shop.shown()
    shop.set(8)
    (shop.site / "releases").rename(shop.site / "moved")
    (shop.site / "releases").write_text("a file, where a folder has to be")

    with pytest.raises(OSError, match="releases"):
        shop.publish()

    (shop.site / "releases").unlink()
    (shop.site / "moved").rename(shop.site / "releases")
    assert shop.shown() == before


# Killed at any moment, the next run ends right.


def test_killed_before_the_commit_readers_keep_the_old_version(shop, kill):
    shop.publish()
    shop.set(8)
    before = shop.seen()

    kill(shop, "publish", "before_commit")

    assert shop.seen() == before
    assert repair(shop.destination) == read_current(shop.site)
    assert shop.seen() == before
    assert len(list((shop.site / "releases").iterdir())) == 1, "the half-made release is collected"


@pytest.mark.parametrize("moment", ["after_commit", "instead_of_swap"])
def test_killed_between_commit_and_swap_the_page_is_swapped_by_repair(shop, kill, moment):
    shop.publish()
    shop.set(8)

    kill(shop, "publish", moment)

    assert shop.shown()[0][0][1] == 8
    assert "8.00" not in shop.shown()[2]
    assert repair(shop.destination) == newest(shop).release == read_current(shop.site)
    assert "8.00" in shop.shown()[2]


def test_killed_between_commit_and_swap_the_page_is_swapped_by_publishing_again(shop, kill):
    shop.publish()
    shop.set(8)

    kill(shop, "publish", "after_commit")
    killed = newest(shop)
    again = shop.publish()

    assert "8.00" in shop.shown()[2]
    assert not again.changed
    assert (again.number, again.published_at) == (2, killed.published_at), "the killed process had published it"


# What is published.


def test_both_tables_become_visible_together(shop):
    shop.publish()
    shop.set(8)
    glances = [shop.shown()]

    shop.publish(before_commit=lambda: glances.append(shop.shown()), after_commit=lambda: glances.append(shop.shown()))
    glances.append(shop.shown())

    old, before_commit, after_commit, new = glances
    assert before_commit == old
    assert after_commit[:2] == new[:2]
    assert after_commit[2] == old[2] != new[2]
    assert old[0] != new[0]
    assert old[1] != new[1]


def test_publishing_the_same_again_changes_nothing(shop):
    first = shop.publish()
    before = shop.seen()
    link = os.lstat(shop.site / "current")

    again = shop.publish()

    assert shop.seen() == before
    assert os.lstat(shop.site / "current").st_ino == link.st_ino
    assert (first.changed, again.changed) == (True, False)
    assert (again.number, again.published_at) == (first.number, first.published_at)
    assert {s.fingerprint for own in first.changes.values() for s in own} == set(shop.checked(shop.days(DAY)).values())


def test_rows_in_another_order_are_no_new_version(shop):
    shop.publish()
    shop.run(
        "CREATE TABLE marts.turned AS SELECT * FROM marts.pipeline_daily ORDER BY stage DESC",
        "DELETE FROM marts.pipeline_daily",
        "INSERT INTO marts.pipeline_daily SELECT * FROM marts.turned ORDER BY stage",
    )

    assert not shop.publish().changed


def test_a_table_that_changed_is_a_new_version_even_if_the_page_looks_the_same(shop):
    first = shop.publish()
    shop.run("UPDATE marts.pipeline_daily SET amount = 8")

    again = shop.publish()

    assert again.changed
    assert (again.number, again.release) == (2, first.release)
    assert again.published_at > first.published_at
    assert list(again.changes) == [PIPELINE.target]


def test_a_page_that_changed_is_a_new_version_even_if_the_tables_are_the_same(shop):
    first = shop.publish()

    again = shop.publish(to=replace(shop.destination, render=lambda _: "a new look"))

    assert again.changed
    assert (again.number, again.changes) == (2, {})
    assert again.release != first.release
    assert shop.shown()[2] == "a new look"


def test_a_published_table_that_somebody_changed_is_mended(shop):
    shop.publish()
    right = shop.shown()
    shop.run("UPDATE published.revenue_daily SET net_revenue = 0")

    assert shop.publish().changed
    assert shop.shown() == right


def test_a_labelled_section_may_lack_a_day(shop):
    published = shop.publish(shop.days(EARLIER, DAY, pipeline=[EARLIER]))

    assert published.parts == (EARLIER, DAY)
    assert shop.run("SELECT COUNT(*) FROM published.revenue_daily") == [(2,)]
    assert shop.run("SELECT report_date FROM published.pipeline_daily")[0][0].isoformat() == EARLIER


def test_a_labelled_section_may_lack_even_its_table(shop):
    shop.run("DROP TABLE marts.pipeline_daily")

    published = shop.publish(shop.days(EARLIER, DAY, pipeline=[]))

    assert published.parts == (EARLIER, DAY)
    assert list(published.changes) == [REVENUE.target]


def test_only_the_days_given_are_touched(shop):
    shop.publish(shop.days(EARLIER, DAY))
    shop.set(1)
    shop.set(1, EARLIER)

    shop.publish({REVENUE: shop.days(DAY)[REVENUE]})

    amounts = shop.run("SELECT net_revenue FROM published.revenue_daily ORDER BY report_date")
    assert [float(amount) for (amount,) in amounts] == [90.5, 1.0]


def test_a_table_without_partitions_is_published_whole(shop):
    whole = {REVENUE: {"": None}}
    shop.publish(whole)
    shop.run(f"DELETE FROM marts.revenue_daily WHERE report_date = DATE '{EARLIER}'")
    checked = shop.checked(whole)

    published = shop.publish(whole)

    assert published.parts == ("",)
    assert published.changes[REVENUE.target][0].fingerprint == checked[REVENUE.source, ""]
    assert len(shop.run("SELECT * FROM published.revenue_daily")) == 1
    shop.run("UPDATE marts.revenue_daily SET orders = 0")
    with pytest.raises(PublicationError, match=r"marts\.revenue_daily is not what was checked"):
        shop.publish(whole, checked | {(REVENUE.source, ""): replace(checked[REVENUE.source, ""], digest="other")})


@pytest.mark.parametrize("half", [{"site": Path("site")}, {"render": str}], ids=["no render", "no site"])
def test_half_a_page_is_refused(shop, half):
    with pytest.raises(InvalidInputError, match="a page needs both"):
        Destination("daily_revenue", shop.warehouse, **half)


def test_a_dashboard_without_a_page_has_versions_of_its_tables(shop):
    tables = Destination("daily_revenue", shop.warehouse)
    first = shop.publish(to=tables)
    assert not shop.publish(to=tables).changed
    shop.set(7)
    second = shop.publish(to=tables)
    assert (first.number, second.number, second.release) == (1, 2, "")
    changed = shop.run("SELECT net_revenue FROM published.revenue_daily")

    assert shop.roll_back(of=tables).restores == 1
    assert shop.run("SELECT net_revenue FROM published.revenue_daily") != changed
    assert repair(tables) is None
    assert not shop.site.exists()


def test_a_published_table_is_of_one_dashboard(shop):
    shop.publish()
    before = shop.seen()
    shop.set(8)
    other = replace(shop.destination, dashboard="weekly_revenue", site=shop.home / "weekly")

    with pytest.raises(PublicationError, match=r"\"published\".\"\w+\" is published by daily_revenue, and"):
        shop.publish(to=other)

    assert shop.seen() == before
    elsewhere = {replace(REVENUE, target="published.revenue_weekly"): shop.days(DAY)[REVENUE]}
    assert shop.publish(elsewhere, to=other).number == 1
    assert shop.publish().number == 2


def test_another_spelling_of_its_name_is_the_same_table(shop):
    shop.publish()
    other = replace(shop.destination, dashboard="weekly_revenue", site=shop.home / "weekly")
    spelt = {replace(REVENUE, target='"published"."revenue_daily"'): shop.days(DAY)[REVENUE]}

    with pytest.raises(PublicationError, match="is published by daily_revenue, and"):
        shop.publish(spelt, to=other)


def test_two_tables_are_not_published_into_one(shop):
    both = {REVENUE: shop.days(DAY)[REVENUE], replace(PIPELINE, target=REVENUE.target): shop.days(DAY)[PIPELINE]}

    with pytest.raises(InvalidInputError, match="would publish two tables into"):
        shop.publish(both)


def test_what_moved_to_another_dashboard_is_not_rolled_back_under_it(shop):
    shop.publish()
    shop.set(8)
    shop.publish()
    shop.run("DELETE FROM trust.fences WHERE slice = '(published)'")
    other = replace(shop.destination, dashboard="weekly_revenue", site=shop.home / "weekly")
    shop.set(9)
    assert shop.publish(to=other).number == 1
    before = shop.shown()[:2]

    with pytest.raises(PublicationError, match="is published by weekly_revenue, and"):
        shop.roll_back()
    assert shop.shown()[:2] == before


@pytest.mark.parametrize("lost", ["(published)", "daily_revenue"], ids=["a claim", "the turn"])
def test_without_the_row_that_keeps_others_out_nothing_is_published(shop, lost):
    shop.publish()
    before = shop.seen()
    shop.set(8)

    shop.run(f"DELETE FROM trust.fences WHERE slice = '{lost}'")

    def publish_without_preparing():
        with shop.warehouse.session("test") as session, session.transaction():
            take_turn(session, "daily_revenue")
            claim_tables(session, "daily_revenue", [REVENUE.target])

    with pytest.raises(PublicationError, match="nobody could be kept out"):
        publish_without_preparing()

    assert shop.seen() == before


# What was lost is made again.


def test_a_copy_that_follows_links_is_a_whole_site_that_can_be_published_again(duckdb_shop, tmp_path):
    shop = duckdb_shop
    shop.publish()
    shutil.copytree(shop.home, tmp_path / "copy")
    copy = replace(shop, home=tmp_path / "copy")

    assert repair(copy.destination) == read_current(shop.site)
    copy.set(8)
    copy.publish()

    assert (copy.site / "current").is_symlink()
    assert "8.00" in copy.shown()[2]
    assert "8.00" not in shop.shown()[2]


def test_a_lost_site_is_rendered_again_from_the_published_tables(shop):
    shop.publish()
    before = shop.seen()
    shop.set(8)
    shutil.rmtree(shop.site)

    repair(shop.destination)

    assert shop.seen() == before


def test_repair_of_what_was_never_published_does_nothing(shop, tmp_path):
    assert repair(shop.destination) is None
    assert not shop.site.exists()


def test_repair_of_a_home_that_is_not_there_does_nothing(duckdb_shop, tmp_path):
    nowhere = replace(duckdb_shop, home=tmp_path / "nowhere")

    assert repair(nowhere.destination) is None
    assert not nowhere.site.exists()
