"""Events that are posted."""
