"""The parts of a contract as `dg check yaml` knows them; what their values mean, the YAML readers say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import dagster as dg


class Part(dg.Model, dg.Resolvable):
    """A part of a contract: a key it does not have is an error."""


class PartitionsField(Part):
    """As `PartitionSchedule`; a day is written ``2026-01-31``."""

    schedule: Literal["hourly", "daily", "weekly", "monthly"]
    start: str
    timezone: str = "UTC"


class ReadyByField(Part):
    """As `ReadyBy`; the time is quoted: ``time: "08:00"``."""

    time: str
    timezone: str = "UTC"
    days_after_end: int = 0


class RequiredAssetField(Part):
    """As `RequiredAsset`; a key alone stands for all of its checks."""

    asset: str
    checks: list[str] | None = None


def resolve_required(context: dg.ResolutionContext, written: Any) -> RequiredAssetField:
    """Return a required asset from its key, or from its fields."""
    if isinstance(written, str):
        return RequiredAssetField(asset=context.resolve_value(written, as_type=str))
    field: RequiredAssetField = RequiredAssetField.resolve_from_model(context, written)
    return field


RequiredField = Annotated[
    RequiredAssetField, dg.Resolver(resolve_required, model_field_type=str | RequiredAssetField.model())
]


class FreshnessField(Part):
    """The age, in hours, from which the newest load of an asset is overdue."""

    fail_after_hours: float


class SectionField(Part):
    """As `Section`."""

    key: str
    title: str
    assets: list[str]
    when_unmet: Literal["block", "label"] = "block"
    at_least: int | None = None


class WaitField(Part):
    """How long a step waits for checks of its own run."""

    minutes: float
