"""Airbyte: syncs that may be believed, and a loopback server that runs real connectors."""
