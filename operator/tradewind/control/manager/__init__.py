"""The operator process: leading or standing by, wiring, health and gauges."""
