"""Access to a Kubernetes API server."""
