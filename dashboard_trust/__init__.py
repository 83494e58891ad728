"""Dagster dashboards that refresh only when everything upstream may be believed."""
