"""A real Kubernetes cluster for tests and developers: a given one, kind, or one made here."""
