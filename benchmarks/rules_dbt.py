"""The rules as a dbt project: dbt's own tests, and of the rest generic ones as the packages for it have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rules_table import COUNTRIES, EMAIL, FIRST, FRESH, NOW, STATUSES, Lines, bounds

GENERIC = """
{% test expression_is_true(model, expression, column_name=None) %}
    SELECT 1 FROM {{ model }} WHERE NOT ({{ expression }})
{% endtest %}
{% test accepted_range(model, column_name, lowest, highest) %}
    SELECT 1 FROM {{ model }} WHERE {{ column_name }} < {{ lowest }} OR {{ column_name }} > {{ highest }}
{% endtest %}
{% test unique_combination(model, columns) %}
    SELECT 1 FROM {{ model }} GROUP BY {{ columns | join(', ') }} HAVING count(*) > 1
{% endtest %}
{% test matches(model, column_name, regex) %}
    SELECT 1 FROM {{ model }} WHERE NOT regexp_matches({{ column_name }}, '{{ regex }}')
{% endtest %}
{% test row_count(model, least, most) %}
    SELECT 1 FROM (SELECT count(*) AS n FROM {{ model }}) WHERE n NOT BETWEEN {{ least }} AND {{ most }}
{% endtest %}
{% test newest(model, column_name, after, now) %}
    SELECT 1 FROM (SELECT max({{ column_name }}) AS newest FROM {{ model }} WHERE {{ column_name }} <= {{ now }})
    WHERE newest IS NULL OR newest <= {{ after }}
{% endtest %}
{% test rises(model, column_name, sort_column) %}
    SELECT 1 FROM (
        SELECT {{ column_name }} AS found,
            lag({{ column_name }}) OVER (ORDER BY {{ sort_column }}, {{ column_name }}) AS before
        FROM {{ model }} WHERE {{ column_name }} IS NOT NULL AND {{ sort_column }} IS NOT NULL
    )
    WHERE found < before
{% endtest %}
"""


def write_project(folder: Path, lines: Lines, threads: int) -> None:
    """Write a project whose one source is the table; each test is named as our check is."""
    for name in ("macros", "models"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    target = {"type": "duckdb", "path": str(lines.path), "threads": threads}
    write(folder / "profiles.yml", {"rules": {"target": "duckdb", "outputs": {"duckdb": target}}})
    project = {"name": "rules", "version": "1.0.0", "profile": "rules", "config-version": 2}
    write(folder / "dbt_project.yml", {**project, "flags": {"send_anonymous_usage_stats": False}})
    # One of a name of dbt's own would take its place.
    (folder / "macros" / "tests.sql").write_text(GENERIC)
    columns, of_table = make_tests(lines)
    tables: list[dict[str, Any]] = [
        {
            "name": "lines",
            "data_tests": of_table,
            "columns": [{"name": name, "data_tests": tests} for name, tests in columns.items()],
        }
    ]
    sources = [
        {"name": "checked", "schema": lines.schema, "tables": tables},
        {"name": "known", "schema": "shop", "tables": [{"name": "customers"}]},
    ]
    write(folder / "models" / "sources.yml", {"version": 2, "sources": sources})


def make_tests(lines: Lines) -> tuple[dict[str, list[Any]], list[Any]]:
    """Return the tests of columns, and those of the table."""
    least, most = bounds(lines)
    first, now, stale = (f"TIMESTAMP '{moment:%Y-%m-%d}'" for moment in (FIRST, NOW, NOW - FRESH))
    columns = {
        "id": [
            named("not_null_id", "not_null"),
            named("unique_id", "unique"),
            named("monotonic_id_ordered_at", "rises", sort_column="ordered_at"),
        ],
        "customer_id": [
            named("not_null_customer_id", "not_null"),
            named(
                "references_customer_id_shop_customers",
                "relationships",
                to="source('known', 'customers')",
                field="customer_id",
            ),
        ],
        "amount": [
            named("not_null_amount", "not_null"),
            named("range_amount", "accepted_range", lowest=0, highest=10100),
        ],
        "paid_at": [
            named("not_null_paid_at", "not_null"),
            named("freshness_paid_at", "newest", after=stale, now=now),
        ],
        "status": [named("accepted_values_status", "accepted_values", values=STATUSES)],
        "country": [named("accepted_values_country", "accepted_values", values=COUNTRIES)],
        "quantity": [named("range_quantity", "accepted_range", lowest=1, highest=100)],
        "score": [named("range_score", "accepted_range", lowest=0, highest=1)],
        "email": [
            named("pattern_email", "matches", regex=EMAIL),
            named("length_email", "expression_is_true", expression="length(email) BETWEEN 6 AND 64"),
        ],
    }
    period = f"ordered_at >= {first} AND ordered_at < {now}"
    of_table = [
        named("row_count", "row_count", least=least, most=most),
        named("unique_order_id_line", "unique_combination", columns=["order_id", "line"]),
        named("range_ordered_at", "expression_is_true", expression=period),
        named("paid_after_order", "expression_is_true", expression="coalesce(paid_at >= ordered_at, false)"),
        named("discount_within_amount", "expression_is_true", expression="coalesce(discount <= amount, false)"),
    ]
    return columns, of_table


def named(name: str, test: str, **arguments: Any) -> dict[str, Any]:
    """Return a test under a name."""
    return {test: {"name": name, **({"arguments": arguments} if arguments else {})}}


def write(path: Path, said: Any) -> None:
    """Write what is also YAML."""
    path.write_text(json.dumps(said, indent=2))
