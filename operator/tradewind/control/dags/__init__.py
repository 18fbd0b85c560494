"""DAGs and templates: checked, recorded, called."""
