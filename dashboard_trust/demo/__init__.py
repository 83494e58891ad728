"""The daily revenue dashboard on the embedded default: DuckDB, local parts, one folder."""
