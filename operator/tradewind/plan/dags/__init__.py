"""A DAG's definition: compiled and checked."""
