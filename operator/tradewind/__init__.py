"""Tradewind: a Kubernetes-native DAG orchestrator."""

from importlib.metadata import version

__version__ = version("tradewind")
GROUP = "tradewind.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
