"""Fixtures of a real cluster, for every test that asks for one."""

from cluster.fixtures import cluster, namespace, pytest_runtestloop

__all__ = ["cluster", "namespace", "pytest_runtestloop"]
