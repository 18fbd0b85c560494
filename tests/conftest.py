"""For all tests: fixtures of a real cluster, and which tests run concurrently."""

import pytest
from cluster.fixtures import cluster, namespace, pytest_runtestloop
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling, Scheduling

settings.register_profile("calm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("calm")  # A busy machine is no failure; a test that never ends has pytest's timeout.
__all__ = ["cluster", "namespace", "pytest_runtestloop"]

RELEASES = ("admission_webhook", "event_service", "secrets", "admission_policies")
"""Files whose tests install the chart: releases take CRDs from each other, so one worker runs them all."""
LONG = (
    "fault_campaign",
    "collector",
    "screens",
    "use",
    "product",
    "bad_input",
    "bench",
    "examples",
    "admission_webhook",
    "killed_operators",
)
"""Files that take long: workers take them first, so that none is left alone with one at the end."""


class Files(LoadFileScheduling):
    """A file's tests share a namespace and an operator: a worker takes whole files."""

    def _split_scope(self, nodeid: str) -> str:
        return "releases" if any(f"test_{name}" in nodeid for name in RELEASES) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling | None:
    config.option.loadscopereorder = False  # by the number of tests, which says little about their time
    return Files(config, log) if config.getvalue("dist") == "loadfile" else None  # type: ignore[arg-type]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the long files first."""
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in LONG)
