"""Evidence, read: from Dagster's event log, and from what the tools around it keep."""
