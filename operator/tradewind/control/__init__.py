"""Reconcilers: they read the cluster, ask the plan, and act."""
