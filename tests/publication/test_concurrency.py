"""Of publications at the same time, each is whole, and one that came second is told."""

from __future__ import annotations

import select
import threading
from dataclasses import replace

import pytest

from dashboard_trust.errors import DashboardTrustError
from dashboard_trust.publication.journal import read_publications
from dashboard_trust.publication.releases import read_current
from dashboard_trust.publication.tables import PublishedTable

REVENUE = PublishedTable("marts.revenue_daily", "published.revenue_daily")
DAY = "2026-11-20"
WAITING = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = CURRENT_DATABASE()"


@pytest.fixture
def start(postgres_shop):
    """Start a process that publishes, and is about to commit; it does when it is told to."""
    children = []

    def start(*, waits: bool = False):
        child = postgres_shop.start("publish", "when_told")
        children.append(child)
        if not waits:
            assert child.stdout.readline() == "about to commit\n", child.stderr.read()
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def ends(child) -> str:
    said, errors = child.communicate("go on\n", timeout=60)
    assert child.returncode == 0, errors
    return said.splitlines()[-1]


def wait_for_a_lock(shop) -> None:
    while shop.run(WAITING) != [(1,)]:
        select.select([], [], [], 0.01)


def assert_whole(shop) -> None:
    """Log, tables and page are of one version, and nothing is doubled."""
    with shop.warehouse.session("test") as session:
        known = read_publications(session, "daily_revenue")
    held = {
        (s.target, s.part): s.fingerprint for version in known[::-1] for own in version.changes.values() for s in own
    }
    published = {replace(table, source=table.target): parts for table, parts in shop.days(DAY).items()}
    assert shop.checked(published) == held
    assert [version.number for version in known] == list(range(len(known), 0, -1))
    assert read_current(shop.site) == known[0].release
    assert shop.shown()[2] == str(shop.shown()[0])


@pytest.mark.parametrize("first", [True, False], ids=["the first version", "a later version"])
def test_of_two_processes_the_one_that_came_second_is_told(postgres_shop, start, first):
    shop = postgres_shop
    if not first:
        shop.publish()
    shop.set(8)
    winner = start()
    shop.set(9)
    loser = start(waits=True)
    wait_for_a_lock(shop)

    assert ends(winner) == f"version {1 if first else 2}"
    assert ends(loser) == (
        f"PublicationError: daily_revenue was published as version {1 if first else 2} while this was being made; "
        "nothing of this one was published. Run it again if its data is the newer."
    )

    assert float(shop.shown()[0][0][1]) == 8
    assert_whole(shop)
    assert shop.publish().number == (2 if first else 3)
    assert float(shop.shown()[0][0][1]) == 9
    assert_whole(shop)


def test_a_rollback_that_waited_for_a_publication_is_told(postgres_shop, start):
    shop = postgres_shop
    shop.publish()
    shop.set(7)
    shop.publish()
    shop.set(8)
    winner = start()
    loser = shop.start("roll_back", "at_once")
    wait_for_a_lock(shop)

    assert ends(winner) == "version 3"
    assert "daily_revenue was published as version 3 while this was being made" in ends(loser)
    assert_whole(shop)


def test_the_page_of_one_that_dawdles_does_not_replace_a_newer_one(postgres_shop):
    """Between its commit and its swap, another version is committed and shown."""
    shop = postgres_shop
    shop.publish()
    shop.set(8)
    checked = shop.checked(shop.days(DAY))

    def overtake() -> None:
        shop.set(9)
        assert shop.publish().number == 3

    assert shop.publish(expected=checked, after_commit=overtake).number == 2

    assert "9.00" in shop.shown()[2]
    assert_whole(shop)


def test_a_reader_sees_all_of_a_version_or_nothing_of_it(postgres_shop, start):
    shop = postgres_shop
    shop.publish()
    old = shop.shown()
    shop.set(8)
    child = start()

    assert shop.shown() == old
    assert ends(child) == "version 2"
    assert [float(amounts[-1]) for amounts in shop.shown()[1]] == [8, 8]
    assert float(shop.shown()[0][0][1]) == 8


@pytest.mark.parametrize("same", [True, False], ids=["the same", "different"])
def test_publications_in_eight_threads_are_one_after_the_other(shop, same):
    """Each one publishes into the same tables what it checked itself; what it checked may be gone."""
    shop.publish()
    gate, outcomes = threading.Barrier(8), []
    shop.set(8)

    def publish(n: int) -> None:
        gate.wait()
        try:
            if not same:
                shop.set(10 + n)
            outcomes.append(shop.publish())
        except DashboardTrustError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=publish, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    done = [found for found in outcomes if not isinstance(found, DashboardTrustError)]
    told = [str(found) for found in outcomes if isinstance(found, DashboardTrustError)]
    assert len(done) + len(told) == 8
    assert done
    numbers = [found.number for found in done if found.changed]
    assert sorted(numbers) == list(range(2, 2 + len(numbers)))
    assert all(("while this was being made" in word) or ("is not what was checked" in word) for word in told), told
    assert not same or len(numbers) == 1
    assert_whole(shop)
