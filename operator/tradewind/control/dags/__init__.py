"""DAGs and templates: validation, revisions, calls of other DAGs."""
