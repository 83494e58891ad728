"""What an error is, and what follows from it (pure)."""
