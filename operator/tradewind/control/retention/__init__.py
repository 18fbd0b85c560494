"""Deletes runs and revisions that are no longer needed."""
