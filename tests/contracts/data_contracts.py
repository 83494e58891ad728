"""Data contracts that tests share: one of each version of the standard, as text and with places changed."""

from __future__ import annotations

import copy
from typing import Any

import yaml

PAYMENTS = """
apiVersion: v3.1.0
kind: DataContract
id: payments
name: Payments
version: 1.2.0
status: active
schema:
  - name: payments
    physicalName: payments_v1
    physicalType: table
    properties:
      - name: payment_id
        logicalType: string
        physicalType: varchar(18)
        primaryKey: true
        logicalTypeOptions: {minLength: 2, maxLength: 18, pattern: '^P[0-9]+$'}
      - name: amount
        logicalType: number
        physicalType: decimal(18, 2)
        required: true
        logicalTypeOptions: {exclusiveMinimum: 0, maximum: 1000}
      - name: paidAt
        physicalName: paid_at
        logicalType: timestamp
      - name: status
        logicalType: string
        quality:
          - name: known status
            metric: invalidValues
            arguments: {validValues: [paid, open, null]}
            mustBeLessThan: 5
            unit: percent
            severity: warning
            dimension: conformity
            description: Two words
          - {type: text, description: Somebody looked at it.}
          - {type: custom, engine: soda, implementation: 'duplicate_percent < 1'}
      - name: customerId
        physicalName: customer_id
        logicalType: string
        relationships: [{to: customers.id}]
    quality:
      - {metric: rowCount, mustBeGreaterThan: 10}
      - type: sql
        name: open payments
        query: SELECT count(*) FROM {object} WHERE status = 'open'
        mustBeLessThan: 2
  - name: customers
    properties:
      - {name: id, logicalType: string, unique: true}
slaProperties:
  - {property: latency, value: 26, unit: h, element: payments.paidAt}
  - {property: frequency, value: 1, unit: d, element: payments}
  - {property: retention, value: 3, unit: y, element: payments.paidAt}
team:
  name: payments
  members:
    - {username: bob@example.com, role: Engineer}
    - {username: ann@example.com, role: Data Owner}
support:
  - {channel: help, url: 'mailto:help@example.com', scope: issues}
"""

OLD = """
apiVersion: v3.0.2
kind: DataContract
id: orders
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - name: order_id
        logicalType: integer
        physicalType: int
        required: true
        quality:
          - {rule: nullCheck, description: Never empty, severity: error}
          - {type: library, rule: duplicateCount, mustBeLessThan: 10, unit: rows, name: Few duplicates}
      - name: unit
        logicalType: string
        quality:
          - {type: library, rule: validValues, validValues: [pounds, kg], mustBe: 0}
    quality:
      - {type: library, rule: rowCount, mustBeBetween: [100, 120], name: Verify row count range}
team:
  - {username: clara@example.com, role: owner, dateOut: '2026-01-01'}
  - {username: dan@example.com, role: data steward}
"""

REMOVED = object()


def changed(text: str, *path: Any, to: Any) -> dict[str, Any]:
    """Return a contract with one place changed, or removed."""
    whole = copy.deepcopy(yaml.safe_load(text))
    at = whole
    for key in path[:-1]:
        at = at[key]
    if to is REMOVED:
        del at[path[-1]]
    else:
        at[path[-1]] = to
    return whole


def dumped(value: Any) -> str:
    """Return values as YAML."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def with_property(**said: Any) -> str:
    """Return a contract of one table with one property ``x``."""
    return with_table(properties=[{"name": "x", **said}])


def with_table(**said: Any) -> str:
    """Return a contract of one table ``t``."""
    return with_contract(schema=[{"name": "t", **said}])


def with_contract(**said: Any) -> str:
    """Return a contract."""
    head = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "i", "version": "1", "status": "active"}
    return dumped(head | said)
