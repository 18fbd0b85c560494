"""From an attempt to its pod, and from the pod to the attempt's result."""
