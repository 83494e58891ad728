"""Somebody is told, once: which messages follow, what was told before, and how they are sent."""
