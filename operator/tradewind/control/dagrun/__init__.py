"""One run: its state in memory, its status and its writes."""
