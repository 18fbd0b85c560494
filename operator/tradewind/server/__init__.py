"""The server of the web UI."""
