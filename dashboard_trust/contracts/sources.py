"""What data comes from, and what is done where it does not come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from dashboard_trust.errors import ContractError, FailureClass, nearest
from dashboard_trust.failures.policy import NEVER_RETRIED, POLICIES, Budget, Policy, Retries

NOBODY: Mapping[str, str] = MappingProxyType({})
SAME_AS_ALWAYS: Mapping[str, Policy] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Source:
    """A system that steps call: an API, a database, a store of files, a warehouse.

    Args:
        key: What it is called; whoever names the same one shares its budget.
        assets: Keys of the assets whose steps call it, with slashes.
        owner: Who acts when it fails; by default the asset's owner.
        owners: Who acts, by failure class, where that is somebody else.
        budget: How often it is called while it does not answer.
        policies: What is done, by failure class: `Retries`, ``stop`` or ``ask``; by default `POLICIES`. What is wrong
            with the data or its columns is never tried again.
    """

    key: str
    assets: tuple[str, ...] = ()
    owner: str = ""
    owners: Mapping[str, str] = field(default_factory=lambda: NOBODY)
    budget: Budget = field(default_factory=Budget)
    policies: Mapping[str, Policy] = field(default_factory=lambda: SAME_AS_ALWAYS)

    def __post_init__(self) -> None:
        """Refuse a source without a name, classes that are none, and retries of what no retry mends."""
        if not self.key.strip():
            raise ContractError("A source needs a key: what it is called.")
        for said in (*self.owners, *self.policies):
            if said not in [*FailureClass]:
                raise ContractError(f"source {self.key!r}: there is no failure class {said!r}: {self._known(said)}")
        for said, policy in self.policies.items():
            if isinstance(policy, Retries) and said in NEVER_RETRIED:
                raise ContractError(
                    f"source {self.key!r}: a failure of class {said} is never tried again, as the same comes back. "
                    "Say stop or ask."
                )
            if not isinstance(policy, Retries) and policy not in ("stop", "ask"):
                raise ContractError(f"source {self.key!r}: {policy!r} is no policy: give Retries, stop or ask.")

    def owner_of(self, failure_class: FailureClass) -> str:
        """Return who acts on a failure of a class; "" is the asset's own owner."""
        return self.owners.get(failure_class) or self.owner

    def policy_of(self, failure_class: FailureClass) -> Policy:
        """Return what is done about a failure of a class."""
        return self.policies.get(failure_class, POLICIES[failure_class])

    @property
    def retries(self) -> Retries:
        """How long it is waited for while it does not answer."""
        found = self.policy_of(FailureClass.TRANSIENT)
        return found if isinstance(found, Retries) else Retries()

    @staticmethod
    def _known(said: str) -> str:
        return nearest(said, FailureClass)


def collect_sources(sources: Iterable[Source]) -> dict[str, Source]:
    """Return the source that each asset is of.

    Raises:
        ContractError: An asset is of two, or a source is declared in two ways.
    """
    by_key: dict[str, Source] = {}
    by_asset: dict[str, Source] = {}
    for source in sources:
        if by_key.setdefault(source.key, source) != source:
            raise ContractError(
                f"There are two declarations of source {source.key!r}; make them the same, or keep one."
            )
        for asset in source.assets:
            known = by_asset.setdefault(asset, source)
            if known.key != source.key:
                raise ContractError(f"{asset!r} is of two sources, {known.key!r} and {source.key!r}; keep one.")
    return by_asset
