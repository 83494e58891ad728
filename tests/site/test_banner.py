from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard_trust.demo.page import render_page
from dashboard_trust.publication.releases import point_current, write_release
from dashboard_trust.site.readiness import ReadinessWord, Reason, write_readiness
from dashboard_trust.verdicts.verdict import Readiness
from dashboard_trust.warehouses.duckdb import DuckDBSession, DuckDBWarehouse

pytestmark = pytest.mark.browser

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
SHOWN, NEWER, OLDER = "2026-11-20", "2026-11-21", "2026-11-19"


def word(readiness: Readiness, partition: str = NEWER, hours: float = 2) -> ReadinessWord:
    return ReadinessWord(
        dashboard="dashboards/daily_revenue",
        partition=partition,
        readiness=readiness,
        evaluated_at=dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours, minutes=1),
        message="Questions go to finance.",
        reasons=tuple(
            Reason("raw/payments", NEWER, check, "failed", reason, "payments-team@example.com")
            for check, reason in [
                ("row_count", "0 rows, at least 20 expected."),
                ("reconciliation", "Paid orders and payments differ by 1204.50."),
                ("null_keys", "</script><b>payment_id</b> is empty in 3 rows."),
                ("types", "Text in amount."),
            ]
        )
        if readiness is not Readiness.READY
        else (),
        owners=("finance@example.com",),
    )


@pytest.fixture(scope="module")
def page_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    with DuckDBWarehouse(tmp_path_factory.mktemp("w") / "warehouse.duckdb").connect("test") as connection:
        connection.execute("CREATE SCHEMA published")
        connection.execute(
            "CREATE TABLE published.revenue_daily AS SELECT (DATE '2026-11-07' + n::INT) AS report_date,"
            " (9000 + (n * 7919) % 4000 + 0.6)::DECIMAL(18,2) AS gross_revenue,"
            " (n * 37 % 400 + 0.15)::DECIMAL(18,2) AS refunds,"
            " gross_revenue - refunds AS net_revenue, 40 + n AS orders FROM range(14) AS days(n)"
        )
        connection.execute(
            "CREATE TABLE published.pipeline_daily AS SELECT DATE '2026-11-19' AS report_date, * FROM (VALUES"
            " ('lead', 31, 120000.00::DECIMAL(18,2)), ('qualified', 18, 95000), ('proposal', 9, 61000),"
            " ('negotiation', 4, 38000), ('won', 6, 44000)) AS stages(stage, opportunities, amount)"
        )
        return render_page(DuckDBSession(connection)).encode()


@pytest.fixture
def site(tmp_path: Path, page_bytes: bytes) -> Path:
    site = tmp_path / "site"
    point_current(site, write_release(site, page_bytes))
    return site


@pytest.fixture(scope="module")
def browser() -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", headless=True, args=[*FLAGS, NO_NETWORK]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser, site: Path) -> Iterator:
    """A page that may ask for its own two files, and no other, and must not raise."""
    page = browser.new_page(viewport={"width": 1100, "height": 1200})
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert set(asked) <= {(site / name).as_uri() for name in ("current/index.html", "readiness.js")}
    assert errors == []


@pytest.fixture
def opened(page, site: Path, request: pytest.FixtureRequest):
    """Open the page from disk, and keep a picture of it."""

    def open_page():
        page.goto((site / "current" / "index.html").as_uri())
        page.screenshot(path=str(site.parent / f"{request.node.originalname}.png"), full_page=True)
        return page

    return open_page


def banner(page) -> tuple[str | None, str]:
    found = page.locator("#readiness")
    return found.get_attribute("data-state"), found.inner_text() if found.is_visible() else ""


def test_a_missing_readiness_file_is_unknown(opened):
    state, text = banner(opened())

    assert state == "UNKNOWN"
    assert "No word on this dashboard could be read. You see Friday, 20 November 2026" in text


@pytest.mark.parametrize("content", ["window.dashboardTrust = {};", "window.dashboardTrust = null;"])
def test_a_file_without_this_dashboard_is_unknown(opened, site, content):
    (site / "readiness.js").write_text(content)

    assert banner(opened())[0] == "UNKNOWN"


@pytest.mark.parametrize("entry", ["7", "{readiness: 'READY'}", "{readiness: 'GREAT', evaluated_at: new Date()}"])
def test_a_word_that_makes_no_sense_is_unknown_and_visible(opened, site, entry):
    (site / "readiness.js").write_text(f"window.dashboardTrust = {{'dashboards/daily_revenue': {entry}}};")

    state, text = banner(opened())

    assert state == "UNKNOWN"
    assert "Readiness is unknown" in text


@pytest.mark.parametrize("readiness", [Readiness.READY, Readiness.BLOCKED])
def test_an_old_word_is_unknown_and_its_reasons_are_not_repeated(opened, site, readiness):
    write_readiness(site, word(readiness, SHOWN, hours=27))

    state, text = banner(opened())

    assert state == "UNKNOWN"
    assert "The last check was 27 hours ago, too long to rely on." in text
    assert "rows" not in text


def test_a_word_from_the_future_is_unknown(opened, site):
    write_readiness(site, word(Readiness.READY, SHOWN, hours=-30))

    assert banner(opened())[0] == "UNKNOWN"


def test_a_word_about_an_earlier_day_does_not_vouch_for_the_day_shown(opened, site):
    write_readiness(site, word(Readiness.READY, OLDER))

    state, text = banner(opened())

    assert state == "UNKNOWN"
    assert "about another day" in text


def test_a_page_left_open_becomes_unknown(page, opened, site):
    write_readiness(site, word(Readiness.READY, SHOWN))
    page.clock.install()
    assert banner(opened()) == ("READY", "")

    page.clock.fast_forward("25:00:00")

    assert banner(page)[0] == "UNKNOWN"


def test_without_scripts_readiness_cannot_be_shown(browser, site):
    write_readiness(site, word(Readiness.READY, SHOWN))
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto((site / "current" / "index.html").as_uri())

        state, text = banner(page)

    assert state == "UNKNOWN"
    assert "Readiness cannot be shown without JavaScript" in text


def test_ready_for_the_day_shown_shows_no_banner(opened, site):
    write_readiness(site, word(Readiness.READY, SHOWN))

    page = opened()

    assert banner(page) == ("READY", "")
    assert page.locator("#net-revenue").inner_text().replace(".", "").isdigit()


CORRECTED = "corrected on 2026-11-20 09:12 UTC because data of 2026-11-17 in raw/payments <b>came late</b>"


@pytest.mark.parametrize("readiness", [Readiness.READY, Readiness.BLOCKED])
def test_what_was_corrected_is_said_in_every_state_of_the_day_it_is_about(opened, site, readiness):
    write_readiness(site, replace(word(readiness, SHOWN), corrections=(("2026-11-17", CORRECTED),)))

    page = opened()

    assert page.locator("#corrections").inner_text() == f"Corrected figures\n\nTuesday, 17 November 2026: {CORRECTED}"


def test_where_nothing_was_corrected_nothing_is_said_of_it(opened, site):
    write_readiness(site, word(Readiness.READY, SHOWN))

    assert not opened().locator("#corrections").is_visible()


def test_ready_for_a_newer_day_says_that_an_earlier_one_is_shown(opened, site):
    write_readiness(site, word(Readiness.READY))

    state, text = banner(opened())

    assert state == "READY"
    assert "The figures for Saturday, 21 November 2026 are ready" in text
    assert "You see Friday, 20 November 2026" in text


def test_blocked_says_what_is_held_why_who_is_on_it_and_how_old_the_word_is(opened, site):
    write_readiness(site, word(Readiness.BLOCKED))

    page = opened()
    state, text = banner(page)

    assert state == "BLOCKED"
    for part in (
        "The figures for Saturday, 21 November 2026 are held",
        "You see Friday, 20 November 2026, the last day that did.",
        "Questions go to finance.",
        "0 rows, at least 20 expected. raw/payments · 2026-11-21 · row_count",
        "</script><b>payment_id</b> is empty in 3 rows.",
        "and 1 more",
        "payments-team@example.com, finance@example.com are on it. Checked 2 hours ago.",
    ):
        assert part in text
    assert page.locator("#readiness b").count() == 0, "reasons are text"


@pytest.mark.parametrize(
    ("readiness", "headline"),
    [
        (Readiness.DELAYED, "The figures for Saturday, 21 November 2026 are late"),
        (Readiness.WAITING, "The figures for Saturday, 21 November 2026 are on their way"),
        (Readiness.PARTIAL, "The figures for Saturday, 21 November 2026 are nearly complete"),
        (Readiness.UNKNOWN, "Readiness is unknown"),
    ],
)
def test_each_word_has_its_own_headline(opened, site, readiness, headline):
    write_readiness(site, word(readiness))

    state, text = banner(opened())

    assert (state, headline in text) == (readiness.value, True)


@pytest.mark.parametrize(
    ("readiness", "headline"),
    [
        (Readiness.BLOCKED, "A newer version of Friday, 20 November 2026 is held"),
        (Readiness.PARTIAL, "Part of this page is from an earlier day"),
    ],
)
def test_the_day_shown_may_itself_be_held_or_partial(opened, site, readiness, headline):
    write_readiness(site, replace(word(readiness, SHOWN), owners=()))

    page = opened()
    state, text = banner(page)

    assert (state, headline in text) == (readiness.value, True)
    assert "payments-team@example.com is on it." in text
    assert "shown as of 19 November 2026" in page.locator("#pipeline-label").inner_text()


def test_dark_and_narrow(opened, site):
    write_readiness(site, word(Readiness.BLOCKED))
    page = opened()
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 900})

    page.screenshot(path=str(site.parent / "dark.png"), full_page=True)

    width = page.evaluate("document.documentElement.scrollWidth")
    assert width == 390, "nothing makes the page scroll sideways"
