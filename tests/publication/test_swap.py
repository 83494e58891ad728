from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard_trust.errors import PublicationError
from dashboard_trust.publication.journal import read_publications
from dashboard_trust.publication.releases import read_current
from dashboard_trust.publication.swap import Destination, publish, repair
from dashboard_trust.publication.tables import PublishedTable
from dashboard_trust.warehouses.fingerprints import fingerprint

REVENUE = PublishedTable("marts.revenue_daily", "published.revenue_daily")
PIPELINE = PublishedTable("marts.pipeline_daily", "published.pipeline_daily")
DAY = dt.date(2026, 11, 20)
EARLIER = DAY - dt.timedelta(days=1)
NOON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(hours=1)
CORRECTION = f"UPDATE marts.revenue_daily SET net_revenue = 111.11 WHERE report_date = '{DAY}'"


def test_a_failed_insert_leaves_all_tables_and_the_page(shop):
    publish(shop.destination, shop.both, NOON)
    before = shop.seen()
    shop.run(
        CORRECTION,
        "ALTER TABLE marts.pipeline_daily ALTER amount TYPE VARCHAR",
        "UPDATE marts.pipeline_daily SET amount = 'a lot'",
    )

    with pytest.raises(PublicationError, match="amount is VARCHAR instead of DECIMAL"):
        publish(shop.destination, shop.both, LATER)

    assert shop.seen() == before


def test_a_constraint_that_fails_in_the_second_table_leaves_the_first(shop):
    publish(shop.destination, shop.both, NOON)
    shop.run("ALTER TABLE published.pipeline_daily ALTER stage SET NOT NULL")
    before = shop.seen()
    shop.run(CORRECTION, "UPDATE marts.pipeline_daily SET stage = NULL")

    with pytest.raises(Exception, match="NOT NULL"):
        publish(shop.destination, shop.both, LATER)

    assert shop.seen() == before


def test_a_mart_that_moved_since_it_was_checked_is_not_published(shop):
    publish(shop.destination, shop.both, NOON)
    before = shop.seen()
    with shop.warehouse.connect("test") as connection:
        checked = fingerprint(connection, REVENUE.source, f"report_date = DATE '{DAY}'")
    shop.run(CORRECTION)

    with pytest.raises(PublicationError, match=f"marts.revenue_daily for {DAY} is not what was checked"):
        publish(shop.destination, shop.both, LATER, expected={(REVENUE.source, DAY): checked})

    assert shop.seen() == before


def test_evidence_that_changed_at_the_last_moment_withdraws_everything(shop):
    publish(shop.destination, shop.both, NOON)
    before = shop.seen()
    shop.run(CORRECTION)

    def refuse() -> None:
        raise RuntimeError("raw/payments was loaded again")

    with pytest.raises(RuntimeError, match="loaded again"):
        publish(shop.destination, shop.both, LATER, before_commit=refuse)

    assert shop.seen() == before


def test_a_page_that_cannot_be_rendered_withdraws_everything(shop):
    publish(shop.destination, shop.both, NOON)
    before = shop.seen()
    shop.run(CORRECTION)
    broken = Destination("daily_revenue", shop.warehouse, shop.home / "site", lambda _: str(1 / 0))

    with pytest.raises(ZeroDivisionError):
        publish(broken, shop.both, LATER)

    assert shop.seen() == before


def kill_a_publication(shop, moment: str) -> None:
    """Correct the mart, publish it in a process of its own, and kill that at the moment named."""
    shop.run(CORRECTION)
    child = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("killed_publication.py")), str(shop.home), moment],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr


def test_killed_before_the_commit_readers_keep_the_old_version(shop):
    publish(shop.destination, shop.both, NOON)
    before = shop.seen()

    kill_a_publication(shop, "before_commit")

    assert shop.seen() == before
    assert repair(shop.destination) == read_current(shop.home / "site")
    assert shop.seen() == before
    assert len(list((shop.home / "site" / "releases").iterdir())) == 1, "the half-made release is collected"


def test_killed_between_commit_and_swap_the_page_is_swapped_by_repair(shop):
    publish(shop.destination, shop.both, NOON)

    kill_a_publication(shop, "after_commit")

    assert "111.11" not in shop.seen()[3]
    with shop.warehouse.connect("test") as connection:
        newest = read_publications(connection, "daily_revenue")[0]
    assert repair(shop.destination) == newest.release == read_current(shop.home / "site")
    assert "111.11" in shop.seen()[3]


def test_killed_between_commit_and_swap_the_page_is_swapped_by_publishing_again(shop):
    publish(shop.destination, shop.both, NOON)

    kill_a_publication(shop, "after_commit")
    again = publish(shop.destination, shop.both, LATER + dt.timedelta(hours=1))

    assert "111.11" in shop.seen()[3]
    assert not again.changed
    assert again.published_at == LATER, "the killed process had published it"


def test_both_tables_become_visible_together(shop):
    publish(shop.destination, shop.both, NOON)
    shop.run(CORRECTION, "UPDATE marts.pipeline_daily SET amount = 8")
    glances = []

    def glance() -> None:
        glances.append((*shop.seen()[:2], read_current(shop.home / "site")))

    glance()
    publish(shop.destination, shop.both, LATER, before_commit=glance, after_commit=glance)
    glance()

    old, before_commit, after_commit, new = glances
    assert before_commit == old
    assert after_commit[:2] == new[:2]
    assert after_commit[2] == old[2] != new[2]
    assert old[0] != new[0]
    assert old[1] != new[1]


def test_publishing_the_same_again_changes_nothing(shop):
    first = publish(shop.destination, shop.both, NOON)
    before = shop.seen()
    link = os.lstat(shop.home / "site" / "current")

    again = publish(shop.destination, shop.both, LATER)

    assert shop.seen() == before
    assert os.lstat(shop.home / "site" / "current").st_ino == link.st_ino
    assert (first.changed, again.changed) == (True, False)
    assert again.published_at == first.published_at == NOON
    assert again.fingerprints == first.fingerprints


def test_a_table_that_changed_is_a_new_publication_even_if_the_page_looks_the_same(shop):
    first = publish(shop.destination, shop.both, NOON)
    shop.run("UPDATE marts.pipeline_daily SET amount = 8")

    again = publish(shop.destination, shop.both, LATER)

    assert again.changed
    assert (again.release, again.published_at) == (first.release, LATER)


def test_a_labelled_section_may_lack_a_day_and_even_its_table(shop):
    shop.run("DROP TABLE marts.pipeline_daily")

    published = publish(shop.destination, {REVENUE: [EARLIER, DAY], PIPELINE: []}, NOON)

    assert published.days == (EARLIER, DAY)
    assert len(shop.run("FROM published.revenue_daily")) == 2


def test_only_the_days_given_are_touched(shop):
    publish(shop.destination, {REVENUE: [EARLIER, DAY], PIPELINE: [EARLIER, DAY]}, NOON)
    shop.run("UPDATE marts.revenue_daily SET net_revenue = 1")

    publish(shop.destination, {REVENUE: [DAY]}, LATER)

    assert shop.run("SELECT net_revenue::DOUBLE FROM published.revenue_daily ORDER BY report_date") == [(90.5,), (1.0,)]


def test_a_copy_that_follows_links_is_a_whole_site_that_can_be_published_again(shop, tmp_path):
    publish(shop.destination, shop.both, NOON)
    shutil.copytree(shop.home, tmp_path / "copy")
    copy = type(shop)(tmp_path / "copy")

    assert repair(copy.destination) == read_current(shop.home / "site")
    copy.run(CORRECTION)
    publish(copy.destination, copy.both, LATER)

    assert (copy.home / "site" / "current").is_symlink()
    assert "111.11" in copy.seen()[3]
    assert "111.11" not in shop.seen()[3]


def test_a_lost_site_is_rendered_again_from_the_published_tables(shop):
    publish(shop.destination, shop.both, NOON)
    before = shop.seen()
    shop.run(CORRECTION)
    shutil.rmtree(shop.home / "site")

    repair(shop.destination)

    assert shop.seen() == before


def test_repair_of_a_home_that_never_published_does_nothing(shop, tmp_path):
    assert repair(shop.destination) is None
    assert repair(type(shop)(tmp_path / "nowhere").destination) is None
    assert not (shop.home / "site").exists()


def test_releases_of_the_last_five_publications_are_kept(shop):
    for amount in range(8):
        shop.run(f"UPDATE marts.revenue_daily SET net_revenue = {amount}")
        publish(shop.destination, shop.both, NOON + dt.timedelta(minutes=amount))

    assert len(list((shop.home / "site" / "releases").iterdir())) == 5
