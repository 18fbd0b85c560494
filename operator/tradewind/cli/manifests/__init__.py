"""Manifests: read, parsed, checked."""
