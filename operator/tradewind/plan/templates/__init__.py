"""Templates filled in."""
