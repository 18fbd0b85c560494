"""Manifests: read, understood, checked."""
