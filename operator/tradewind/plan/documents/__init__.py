"""Documents and their problems."""
