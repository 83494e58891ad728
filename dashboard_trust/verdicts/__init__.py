"""What follows from contract and evidence: pure functions and their values."""
