"""Sources of triggers, one per file."""
