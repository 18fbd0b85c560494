"""A run as one file that opens anywhere."""
