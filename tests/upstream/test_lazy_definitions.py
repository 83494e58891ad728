"""What `cli.targets` assumes of Dagster's lazy definitions, whose class is internal."""

from __future__ import annotations

import dagster as dg
from dagster.components.definitions import LazyDefinitions


def test_the_decorator_gives_an_object_that_builds_definitions_when_called():
    @dg.definitions
    def defs():
        return dg.Definitions()

    assert isinstance(defs, LazyDefinitions)
    assert isinstance(defs(), dg.Definitions)
