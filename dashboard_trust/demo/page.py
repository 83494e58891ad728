"""The page of the daily revenue dashboard: figures and charts from the published tables alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from sqlglot import exp

from dashboard_trust.errors import PublicationError
from dashboard_trust.site.banner import render_frame
from dashboard_trust.warehouses.session import Session, table

TITLE = "Daily revenue"
SHOWN_DAYS = 14
STAGES = ("lead", "qualified", "proposal", "negotiation", "won", "lost")
TICK = "datum.value === 0 ? '0' : datum.label"


@dataclass(frozen=True, slots=True)
class RevenueDay:
    """One row of ``published.revenue_daily``."""

    day: date
    gross: Decimal
    refunds: Decimal
    net: Decimal
    orders: int


@dataclass(frozen=True, slots=True)
class PipelineStage:
    """One row of ``published.pipeline_daily``, for the day shown."""

    stage: str
    opportunities: int
    amount: Decimal


def render_page(session: Session, dashboard: str = "dashboards/daily_revenue") -> str:
    """Return the page for the newest published day, in one HTML file; the same tables, the same bytes.

    Args:
        session: An open session; in a transaction it shows what is about to be published.
        dashboard: The key of the dashboard's entry in ``readiness.js``.

    Raises:
        PublicationError: No revenue has been published.
    """
    revenue = _read_revenue(session)
    if not revenue:
        raise PublicationError("published.revenue_daily holds no day. Publish one before its page is made.")
    newest = revenue[-1]
    pipeline_day, stages = _read_pipeline(session, newest.day)
    body = _template().render(
        newest=newest,
        change=_change(revenue),
        revenue=revenue,
        revenue_chart=_revenue_chart(revenue),
        pipeline_day=pipeline_day,
        stages=stages,
        pipeline_chart=_pipeline_chart(stages) if stages else "",
    )
    return render_frame(
        dashboard=dashboard, title=TITLE, shown=newest.day.isoformat(), body=body, style=_read("page.css")
    )


def _read_revenue(session: Session) -> list[RevenueDay]:
    if session.columns("published.revenue_daily") is None:
        return []
    columns = ("report_date", "gross_revenue", "refunds", "net_revenue", "orders")
    newest = exp.select(*columns).from_(table("published.revenue_daily")).order_by("report_date DESC")
    rows = session.query(newest.limit(SHOWN_DAYS))
    return [RevenueDay(*row) for row in reversed(rows)]


def _read_pipeline(session: Session, shown: date) -> tuple[date | None, list[PipelineStage]]:
    if session.columns("published.pipeline_daily") is None:
        return None, []
    pipeline, day = table("published.pipeline_daily"), exp.column("report_date")
    newest = (
        exp.select(exp.Max(this=day)).from_(pipeline).where(day <= exp.cast(exp.convert(shown.isoformat()), "DATE"))
    )
    rows = session.query(
        exp.select("report_date", "stage", "opportunities", "amount").from_(pipeline).where(day.eq(newest.subquery()))
    )
    stages = [PipelineStage(*row[1:]) for row in rows]
    return (rows[0][0] if rows else None), sorted(stages, key=_stage_order)


def _stage_order(stage: PipelineStage) -> tuple[int, str]:
    name = stage.stage.lower()
    return (STAGES.index(name) if name in STAGES else len(STAGES)), name


def _change(revenue: Sequence[RevenueDay]) -> str:
    """Return the change of net revenue on the day before; empty where that says nothing."""
    if len(revenue) < 2 or revenue[-1].day - revenue[-2].day != timedelta(days=1) or revenue[-2].net <= 0:
        return ""
    percent = (revenue[-1].net - revenue[-2].net) / revenue[-2].net * 100
    return f"{percent:+.1f} % on the day before".replace("-", "\N{MINUS SIGN}")


def _revenue_chart(revenue: Sequence[RevenueDay]) -> str:
    import altair as alt

    rows = [{"day": f"{r.day.day} {r.day:%b}", "net": float(r.net), "newest": r is revenue[-1]} for r in revenue]
    chart = (
        alt.Chart(alt.InlineData(values=rows), width=800, height=220)
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            x=alt.X("day:O", sort=None, title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("net:Q", title=None, axis=alt.Axis(tickCount=4, format="~s", labelExpr=TICK)),
            color=alt.Color(
                "newest:N", legend=None, scale=alt.Scale(domain=[True, False], range=["#2457c5", "#b9c9ee"])
            ),
        )
    )
    return _svg(chart, "revenue", f"Net revenue of the last {len(revenue)} published days, as bars")


def _pipeline_chart(stages: Sequence[PipelineStage]) -> str:
    import altair as alt

    rows = [{"stage": s.stage.capitalize(), "amount": float(s.amount)} for s in stages]
    chart = (
        alt.Chart(alt.InlineData(values=rows), width=340, height=alt.Step(34))
        .mark_bar(cornerRadiusEnd=3, color="#2457c5")
        .encode(
            x=alt.X("amount:Q", title=None, axis=alt.Axis(tickCount=4, format="~s", labelExpr=TICK)),
            # Room for a font wider than the one it is measured with.
            y=alt.Y("stage:N", sort=None, title=None, axis=alt.Axis(minExtent=90)),
        )
    )
    return _svg(chart, "pipeline", "Amount in the pipeline by stage, as bars")


def _svg(chart: Any, name: str, description: str) -> str:
    """Draw the chart as SVG whose fills the page's style replaces, for light and for dark."""
    import vl_convert

    styled = (
        chart.properties(background="transparent", padding=2)
        .configure_view(stroke=None)
        .configure_axis(domain=False, ticks=False, labelPadding=8, labelFontSize=12, grid=False)
        .configure_axisQuantitative(grid=True)
        .configure_scale(bandPaddingInner=0.35)
    )
    svg: str = vl_convert.vegalite_to_svg(styled.to_dict())
    # Vega numbers its clips through the life of the process: two renderings would not be the same bytes.
    clips = {clip: f"{name}-{n}" for n, clip in enumerate(dict.fromkeys(re.findall(r"\bclip\d+", svg)))}
    svg = re.sub(r"\bclip\d+", lambda found: clips[found[0]], svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{description}" ', 1)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["money"] = lambda amount: f"{amount:.2f}"
    environment.filters["long_day"] = lambda day: f"{day.day} {day:%B %Y}"
    environment.filters["weekday"] = lambda day: f"{day:%A}, {day.day} {day:%B %Y}"
    return environment.from_string(_read("page.html"))


def _read(name: str) -> str:
    return (files("dashboard_trust.demo") / "static" / name).read_text(encoding="utf-8")
