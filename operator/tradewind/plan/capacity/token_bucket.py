"""A rate limit: a number per second, and a burst after a pause."""

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """A token bucket. It starts full; `now` is in seconds of one clock."""

    rate: float
    """Tokens added per second."""
    size: float
    """Capacity in tokens."""
    level: float = -1.0
    at: float = 0.0

    def take(self, now: float) -> float:
        """Takes a token and returns 0; if there is none, returns the seconds until the next try."""
        since = max(0.0, now - self.at)
        level = self.size if self.level < 0 else min(self.size, self.level + since * self.rate)
        self.at = now
        if level >= 1:
            self.level = level - 1
            return 0.0
        self.level = level
        return (1 - level) / self.rate
