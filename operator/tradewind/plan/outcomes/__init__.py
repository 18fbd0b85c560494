"""States of tasks and attempts."""
