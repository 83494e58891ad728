"""What Postgres has to be told in words of its own: which day a moment, or a text, is of."""

from __future__ import annotations

from sqlglot import exp

from dashboard_trust.warehouses.session import fill, function

# A day, and perhaps a time with or without an offset: less than Postgres takes ("now", "yesterday").
MOMENT = (
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?( ?(Z|UTC|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?))?)?$"
)
DAY_OF_TEXT = f"""
    CASE WHEN NOT given ~ '{MOMENT}' OR LEFT(given, 4) = '0000' THEN ''
    WHEN CAST(SUBSTRING(given, 9, 2) AS INT) > EXTRACT(DAY FROM
        CAST(LEFT(given, 7) || '-01' AS DATE) + INTERVAL '1 month' - INTERVAL '1 day') THEN ''
    ELSE TO_CHAR(CAST(given AS TIMESTAMPTZ) AT TIME ZONE 'UTC', 'YYYY-MM-DD') END
"""
DAY_OF_MOMENT = "CASE WHEN ISFINITE(given) THEN TO_CHAR(given, 'YYYY-MM-DD') ELSE '' END"


def day_of(name: exp.Expr, kind: str) -> exp.Expr:
    """Return the UTC day of a column of this type as text, or nothing where no time can be read."""
    if kind != "date" and not kind.startswith("timestamp"):
        text = function("COALESCE", exp.cast(name, "TEXT"), exp.convert(""))
        return fill(DAY_OF_TEXT, "postgres", given=function("BTRIM", text))
    if kind.endswith("with time zone"):
        name = exp.AtTimeZone(this=name, zone=exp.convert("UTC"))
    return fill(DAY_OF_MOMENT, "postgres", given=name)
