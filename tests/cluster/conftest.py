from pathlib import Path

import pytest

from cluster.fixtures import cluster, namespace, pytest_runtestloop

__all__ = ["cluster", "namespace", "pytest_runtestloop"]

DESTRUCTIVE = "test_lifecycle.py"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Tests that end the cluster run only when asked for by name, never beside tests that use it."""
    if collection_path.name == DESTRUCTIVE and not any(DESTRUCTIVE in argument for argument in config.args):
        return True
    return None
