"""Starting runs, here or on a cluster."""
