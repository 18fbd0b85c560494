"""One run as it is known, and as it is written."""
