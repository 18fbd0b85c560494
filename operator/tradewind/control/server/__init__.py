"""Servers with bounds on connections, time and memory."""
