"""The rate at which triggers make runs, counted from the runs themselves and stored nowhere."""

from collections import defaultdict
from collections.abc import Callable

from tradewind.control.dagrun.run import Run
from tradewind.control.triggers.run_maker import TriggerSnapshot
from tradewind.kube.resources import Key
from tradewind.model.shown import counted

MINUTE = 60.0
TRIGGERS_REMEMBERED = 1_000
"""Number of runs of a trigger, and of triggers, above which entries older than a minute are dropped."""


class Pace:
    """The runs that triggers made within the last minute. A run that has not begun when it is first seen was made just now, whatever the
    clocks say; others count from their creation by the API server's clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._made: defaultdict[Key, dict[str, float]] = defaultdict(dict)
        """By trigger and run uid: when it was made (epoch seconds)."""
        self._many = TRIGGERS_REMEMBERED
        """Number of triggers above which those without a run in the last minute are dropped."""

    def seen(self, run: Run) -> None:
        """A run was created or changed."""
        now, key = self._clock(), (run.namespace, run.maker)
        at = float(run.created) if run.phase else now
        if not run.name.startswith(f"{run.maker}-") or now - at > MINUTE or run.uid in self._made.get(key, ()):
            return
        self._made[key][run.uid] = at
        if len(self._made[key]) > TRIGGERS_REMEMBERED:
            self._recent(key, now)
        if len(self._made) > self._many:  # The creator of runs can name a different trigger in each.
            for other in list(self._made):
                self._recent(other, now)
            self._many = max(TRIGGERS_REMEMBERED, 2 * len(self._made))

    def wait(self, trigger: TriggerSnapshot) -> float:
        """Seconds until a trigger may make another run."""
        now = self._clock()
        recent, limit = self._recent(trigger.key, now), trigger.spec.max_per_minute
        return recent[-limit] + MINUTE - now if len(recent) >= limit else 0.0

    def forget(self, key: Key) -> None:
        """Drops a trigger that was deleted."""
        self._made.pop(key, None)

    def _recent(self, key: Key, now: float) -> list[float]:
        """When the runs of the last minute were made, in order. Times in the future are from before the clock was set."""
        found = {uid: min(at, now) for uid, at in self._made.get(key, {}).items() if now - at < MINUTE}
        if found:
            self._made[key] = found
        else:
            self._made.pop(key, None)
        return sorted(found.values())


def too_fast(trigger: TriggerSnapshot, waiting: int) -> str:
    """The message of a trigger that waits for its rate limit."""
    most = counted(trigger.spec.max_per_minute, "run")
    return f"it creates at most {most} a minute (spec.maxPerMinute): {waiting} {'waits' if waiting == 1 else 'wait'}"
