"""The planner: the next steps of a run."""
