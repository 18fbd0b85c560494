"""The planner: what a run does next."""
