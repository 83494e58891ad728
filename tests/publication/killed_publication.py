"""A process that publishes and dies at the moment named: ``HOME before_commit|after_commit``."""

from __future__ import annotations

import datetime as dt
import importlib.util
import os
import signal
import sys
from pathlib import Path

from dashboard_trust.publication.swap import publish

spec = importlib.util.spec_from_file_location("builders", Path(__file__).with_name("conftest.py"))
builders = importlib.util.module_from_spec(spec)
sys.modules["builders"] = builders
spec.loader.exec_module(builders)

shop = builders.Shop(Path(sys.argv[1]))
later = dt.datetime(2026, 11, 21, 13, tzinfo=dt.UTC)
publish(shop.destination, shop.both, later, **{sys.argv[2]: lambda: os.kill(os.getpid(), signal.SIGKILL)})
