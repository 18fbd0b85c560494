"""Functions that expressions can call in addition to CEL's own, and the maximum cost of each call."""
