"""What is measured: one subject a file, each with its floor."""
