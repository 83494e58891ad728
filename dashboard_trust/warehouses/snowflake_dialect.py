"""What Snowflake has to be told in words of its own, and which tables a name means there."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from dashboard_trust.errors import InvalidInputError
from dashboard_trust.warehouses.session import fill, function

OURS = ("trust", "trust_history", "trust_rejected", "trust_staging")
# As Snowflake reads it without quotes: then it is the same name in capitals.
FOLDED = re.compile(r"[a-z_][a-z0-9_$]*")
DML = (exp.Insert, exp.Update, exp.Delete, exp.Merge)

# A day, and perhaps a time with or without an offset; a plain number is no time, though Snowflake takes it for one.
MOMENT = "[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?( ?(Z|[+-][0-9]{2}(:?[0-9]{2})?))?)?"
DAY_OF_TEXT = f"""
    CASE WHEN NOT REGEXP_LIKE(given, '{MOMENT}') THEN '' WHEN TRY_TO_DATE(LEFT(given, 10), 'YYYY-MM-DD') IS NULL THEN ''
    ELSE COALESCE(TO_CHAR(CAST(CONVERT_TIMEZONE('UTC', TRY_CAST(given AS TIMESTAMP_TZ)) AS DATE), 'YYYY-MM-DD'), '') END
"""
DAY_OF_MOMENT = "COALESCE(TO_CHAR(CAST(given AS DATE), 'YYYY-MM-DD'), '')"
IN_UTC = "CONVERT_TIMEZONE('UTC', given)"


def rewrite(statement: exp.Expr, place: Callable[[exp.Table], tuple[str, str]]) -> exp.Expr:
    """Return a statement as Snowflake has to be told it; ``place`` says under which schema and name a table is."""
    named = {part.alias for part in statement.find_all(exp.CTE)}

    def own(node: exp.Expr) -> exp.Expr:
        match node:
            case exp.Table() if not node.db and node.name in named:
                return node  # a part of the statement itself
            case exp.Table() if node.name and node.db.upper() != "INFORMATION_SCHEMA":
                schema, name = place(node)
                node.set("db", exp.to_identifier(schema, quoted=True))
                node.set("this", exp.to_identifier(name, quoted=True))
            case exp.Cast(this=exp.Cast() as moment) if _is(node, "DATE") and _is(moment, "TIMESTAMPTZ"):
                # Its own cast takes the day at the moment's offset.
                return exp.cast(fill(IN_UTC, "snowflake", given=moment), "DATE")
            case exp.Cast(this=exp.Literal() as text) if _is(node, "TIMESTAMPTZ") and text.name.endswith("+00"):
                # With minutes it is among the forms that it reads unasked.
                return exp.cast(exp.convert(f"{text.name[:-3]} +00:00"), "TIMESTAMPTZ")
        return node

    return statement.transform(own)


def day_of(name: exp.Expr, kind: str) -> exp.Expr:
    """Return the UTC day of a column of this type as text, or nothing where no time can be read."""
    if kind.startswith(("TIMESTAMP_TZ", "TIMESTAMP_LTZ")):
        return fill(DAY_OF_MOMENT, "snowflake", given=fill(IN_UTC, "snowflake", given=name))
    if kind == "DATE" or kind.startswith("TIMESTAMP_NTZ"):
        return fill(DAY_OF_MOMENT, "snowflake", given=name)
    text = function("TRIM", exp.func("COALESCE", exp.cast(name, "TEXT"), exp.convert("")))
    return fill(DAY_OF_TEXT, "snowflake", given=text)


def find_place(named: tuple[str, str], there: set[tuple[str, str]]) -> tuple[str, str] | None:
    """Return which of these tables a name means: the one of that very name, else the one in capitals.

    Raises:
        InvalidInputError: Both are there.
    """
    if len(there) > 1:
        (schema, name), capitals = named, ".".join(named).upper()
        raise InvalidInputError(
            f'{schema}.{name} is both "{schema}"."{name}" and {capitals}. Write {capitals} for that one, or rename one.'
        )
    return next(iter(there), None)


def folds(named: tuple[str, str]) -> bool:
    """Whether a table somebody else made may have this name in capitals."""
    return named[0] not in OURS and all(FOLDED.fullmatch(part) for part in named)


def _is(cast: exp.Cast, kind: str) -> bool:
    return cast.to.sql("duckdb") == kind
