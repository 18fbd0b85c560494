"""The reconciler of runs and its steps: observe, plan, stop, start, report."""
