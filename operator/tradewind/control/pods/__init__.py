"""From an attempt to its pod, and from the pod to what came of it."""
