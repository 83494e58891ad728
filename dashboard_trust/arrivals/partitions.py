"""Which partition of an asset a file is of, told by the fields of its path; and which paths are of a partition."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import dagster as dg

from dashboard_trust.arrivals.patterns import PathPattern
from dashboard_trust.errors import InvalidInputError

NO_KEY = "|"  # joins the dimensions of a multi-partition
SHORTEST = dt.timedelta(microseconds=1)


class UnexpectedNameError(Exception):
    """The path of a file says no partition of its asset; the message says why."""


class NotYetError(Exception):
    """The path of a file says a partition that is still to come."""


@dataclass(frozen=True, slots=True)
class Key:
    """A partition's key (None: the asset has none), and the dynamic keys that may have to be added for it."""

    text: str | None
    dynamic: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Partitioning:
    """How a pattern tells the partitions of an asset: ``fields`` are the field of each dimension (``""``: the only)."""

    pattern: PathPattern
    partitions: dg.PartitionsDefinition | None
    fields: Mapping[str, str]
    known: dict[tuple[str, str], str] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def tell(cls, pattern: PathPattern, partitions: dg.PartitionsDefinition | None) -> Partitioning:
        """Find out which field tells each dimension.

        Of several dimensions each is told by the field of its name; one alone by the only date if it is of time, else
        by the only other field.

        Raises:
            InvalidInputError: There is no such field, or more than one.
        """
        if partitions is None:
            return cls(pattern, None, {})
        if isinstance(partitions, dg.MultiPartitionsDefinition):
            named = {one.name: one.partitions_def for one in partitions.partitions_defs}
            for name, one in named.items():
                _refuse(pattern, name in pattern.fields and _is_time(one) == (name in pattern.formats), name, one)
            return cls(pattern, partitions, {name: name for name in named})
        fits = [name for name in pattern.fields if _is_time(partitions) == (name in pattern.formats)]
        _refuse(pattern, len(fits) == 1, "the partition", partitions)
        return cls(pattern, partitions, {"": fits[0]})

    @property
    def dimensions(self) -> Iterator[tuple[str, str, dg.PartitionsDefinition]]:
        """Each dimension's name, field and partitions."""
        if isinstance(self.partitions, dg.MultiPartitionsDefinition):
            for one in self.partitions.partitions_defs:
                yield one.name, self.fields[one.name], one.partitions_def
        elif self.partitions is not None:
            yield "", self.fields[""], self.partitions

    def grouping(self) -> Callable[[Mapping[str, str]], str]:
        """Return what tells all files of one partition from those of others: cheaper than its key."""
        wide = {
            field_: partitions
            for _, field_, partitions in self.dimensions
            if isinstance(partitions, dg.TimeWindowPartitionsDefinition) and not self._is_exact(field_, partitions)
        }
        names = list(self.fields.values())

        def group(written: Mapping[str, str]) -> str:
            if not wide:
                return NO_KEY.join([written[name] for name in names])
            told = {**written, **{name: self._known_key(name, written[name], one) for name, one in wide.items()}}
            return NO_KEY.join([told[name] for name in names])

        return group

    def key(self, written: Mapping[str, str], instance: dg.DagsterInstance | None = None) -> Key:
        """Return the partition of a file.

        A new key of dynamic partitions is one (``instance`` knows those that are there).

        Raises:
            UnexpectedNameError: There is no such partition.
            NotYetError: There is not yet.
        """
        keys, dynamic = {}, {}
        with dg.partition_loading_context(dynamic_partitions_store=instance):
            for name, field_, partitions in self.dimensions:
                if isinstance(partitions, dg.TimeWindowPartitionsDefinition):
                    keys[name] = self._time_key(field_, written[field_], partitions)
                elif isinstance(partitions, dg.DynamicPartitionsDefinition):
                    keys[name] = _dynamic_key(written[field_])
                    if partitions.name:
                        dynamic[partitions.name] = keys[name]
                elif partitions.has_partition_key(written[field_]):
                    keys[name] = written[field_]
                else:
                    raise UnexpectedNameError(f"{field_} {written[field_]!r} is none of the partitions")
        if isinstance(self.partitions, dg.MultiPartitionsDefinition):
            return Key(str(dg.MultiPartitionKey(keys)), dynamic)
        return Key(keys.get(""), dynamic)

    def known_fields(self, key: str | None) -> tuple[dict[str, str], dict[str, str]]:
        """Return the fields that all files of a partition have as they are written, and what others begin with."""
        known: dict[str, str] = {}
        starts: dict[str, str] = {}
        parts = {"": key or ""}
        if isinstance(self.partitions, dg.MultiPartitionsDefinition):
            parts = dict(self.partitions.get_partition_key_from_str(key or "").keys_by_dimension)
        for name, field_, partitions in self.dimensions:
            if not isinstance(partitions, dg.TimeWindowPartitionsDefinition):
                known[field_] = parts[name]
                continue
            first, last = self._bounds(field_, partitions.time_window_for_partition_key(parts[name]))
            if first == last:
                known[field_] = first
            elif self.pattern.is_in_order(field_):  # else what lies between two dates may begin otherwise
                same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=True))
                starts[field_] = "".join(one for one, _ in same)
        return known, starts

    def _is_exact(self, field_: str, partitions: dg.TimeWindowPartitionsDefinition) -> bool:
        """Whether a partition has one way only to write this field: a day, of daily partitions."""
        key = partitions.get_partition_key_for_timestamp(partitions.start.timestamp())
        first, last = self._bounds(field_, partitions.time_window_for_partition_key(key))
        return first == last

    def _known_key(self, field_: str, written: str, partitions: dg.TimeWindowPartitionsDefinition) -> str:
        """Return the key of a date, or the date itself where it has none; each is asked for once."""
        if (field_, written) not in self.known:
            try:
                self.known[field_, written] = self._time_key(field_, written, partitions)
            except (UnexpectedNameError, NotYetError):
                return written
        return self.known[field_, written]

    def _bounds(self, field_: str, window: dg.TimeWindow) -> tuple[str, str]:
        form = self.pattern.formats[field_]
        return window.start.strftime(form), (window.end - SHORTEST).strftime(form)

    def _time_key(self, field_: str, written: str, partitions: dg.TimeWindowPartitionsDefinition) -> str:
        try:
            naive = self.pattern.moment(field_, written)
            moment = naive.replace(tzinfo=ZoneInfo(partitions.timezone))
            key = partitions.get_partition_key_for_timestamp(moment.timestamp())
        except (ValueError, OverflowError, dg.DagsterError) as error:
            raise UnexpectedNameError(f"{field_} {written!r} is no date: {error}") from None
        if partitions.has_partition_key(key):
            return key
        if partitions.start <= moment and (partitions.end is None or moment < partitions.end):
            raise NotYetError(f"partition {key} is not over yet")
        raise UnexpectedNameError(f"{field_} {written!r} is outside the partitions")


def _is_time(partitions: dg.PartitionsDefinition) -> bool:
    return isinstance(partitions, dg.TimeWindowPartitionsDefinition)


def _refuse(pattern: PathPattern, fits: bool, what: str, partitions: dg.PartitionsDefinition) -> None:
    if not fits:
        form = "{day:%Y-%m-%d}" if _is_time(partitions) else "{customer}"
        raise InvalidInputError(f"Pattern {pattern.text!r} does not say {what}: it needs one field like {form} for it.")


def _dynamic_key(written: str) -> str:
    if NO_KEY in written or "..." in written or not written.isprintable():
        raise UnexpectedNameError(f"{written!r} cannot be the key of a partition")
    return written
