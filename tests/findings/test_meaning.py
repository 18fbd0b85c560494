"""What is written is what is meant, or refused: mistakes that users made."""

import pytest

from findings.runner import CASES, played

NAMES = [
    "brackets-in-expressions",
    "called-dag-is-not-there",
    "days-in-durations",
    "deep-outputs",
    "failure-makes-a-rule-false",
    "has-of-declared-outputs",
    "init-container-that-fails",
    "items-and-tasks-of-one-name",
    "items-of-a-map",
    "large-whole-numbers",
    "names-with-digits",
    "nul-in-a-variable",
    "omitted-for-a-failure",
    "outputs-of-skipped-tasks",
    "outputs-that-are-no-utf-8",
    "quoted-name-in-a-rule",
    "sub-dags-count-for-parallelism",
    "times-and-lengths-of-time",
    "variables-that-refer-to-each-other",
    "whole-numbers-among-fractions",
    "whole-numbers-in-variables",
    "why-no-more-attempts",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_run_ends_as_its_manifest_says(name: str) -> None:
    played(name)


def test_every_case_is_played() -> None:
    assert {path.stem for path in CASES.glob("*.yaml")} >= set(NAMES)
