"""The Open Data Contract Standard, v3: a file is judged, and read into rules of tables."""
