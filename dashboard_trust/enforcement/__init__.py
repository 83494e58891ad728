"""Where Dagster obeys: the gate in a step, and what asks for runs."""
