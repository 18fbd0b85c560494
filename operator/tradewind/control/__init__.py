"""The operator: reconcilers that read the cluster, ask `plan` for decisions, and act."""
