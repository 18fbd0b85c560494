"""Prometheus's own tool, for tests that ask what Prometheus would say."""

import os
import shutil
from functools import cache

import pytest

from cluster import packages
from cluster.shell import ClusterError


@cache
def promtool() -> str:
    """The machine's, else the one of Debian's package. Skips where neither can be had."""
    try:
        return shutil.which("promtool") or str(packages.file_of("prometheus", "usr/bin/promtool"))
    except ClusterError as problem:
        tell = pytest.fail if os.environ.get("TRADEWIND_REQUIRE_E2E") == "1" else pytest.skip
        tell(f"needs promtool, on PATH or by apt-get: {problem}")
