"""Rules of a table, measured in one scan, with an outcome for each day."""
