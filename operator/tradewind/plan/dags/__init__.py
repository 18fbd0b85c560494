"""A DAG's definition: compiled, checked, told."""
