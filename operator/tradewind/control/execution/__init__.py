"""The reconciler of runs and what it does: pods started, removed, reported."""
