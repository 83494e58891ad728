"""Files that arrive in a store: found, waited for until they are complete, loaded once per version of their content."""
