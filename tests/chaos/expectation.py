"""The expected results of a scenario, computed from the documents alone."""

from .scenario import Scenario


def expected(scenario: Scenario) -> tuple[dict[str, str], str]:
    """How each task, and the run, must end: by docs/trigger-rules.md, whatever goes wrong. A task that skips itself is
    Quit, one that does not run Skipped."""
    states: dict[str, str] = {}
    for name, task in scenario.tasks.items():
        above = {states[other].replace("Quit", "Skipped") for other in task.above}
        verdict = _verdict(task.rule, above) if task.above else "run"
        if verdict == "run":
            verdict = "Skipped" if task.skipped else task.state
        states[name] = verdict
    last = [name for name in states if not any(name in task.above for task in scenario.tasks.values())]
    bad = any(states[name] in ("Failed", "UpstreamFailed") for name in last)
    return states, "Failed" if bad else "Succeeded"


def _verdict(rule: str, above: set[str]) -> str:
    failed = bool(above & {"Failed", "UpstreamFailed"})
    if rule == "AllDone":
        return "run"
    if rule == "OneFailed":
        return "run" if failed else "Skipped"
    if failed:
        return "UpstreamFailed"
    return "Skipped" if rule == "AllSucceeded" and "Skipped" in above else "run"
