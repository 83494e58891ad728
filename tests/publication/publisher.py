"""A process that publishes or rolls back: ``HOME URI publish|roll_back MOMENT``.

At ``before_commit``, ``after_commit`` or ``instead_of_swap`` it kills itself; at ``when_told`` it says that it is
about to commit, and does so when it is answered. What came of it is its last line.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path

from dashboard_trust.errors import DashboardTrustError
from dashboard_trust.publication import swap

spec = importlib.util.spec_from_file_location("builders", Path(__file__).with_name("conftest.py"))
builders = importlib.util.module_from_spec(spec)
sys.modules["builders"] = builders
spec.loader.exec_module(builders)

home, uri, what, moment = sys.argv[1:]
shop = builders.Shop(Path(home), uri)
for _ in range(30):
    shop.tick()


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def ask(*_: object) -> None:
    print("about to commit", flush=True)
    sys.stdin.readline()


options = {moment: die} if moment in ("before_commit", "after_commit") else {}
if moment == "instead_of_swap":
    swap.point_current = die
if moment == "when_told":
    options = {"before_commit": ask}
try:
    done = getattr(shop, what)(**options)
    print(f"version {done.number}{'' if done.changed else ', as before'}")
except DashboardTrustError as error:
    print(f"{type(error).__name__}: {error}")
