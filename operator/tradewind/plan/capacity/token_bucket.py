"""A rate limit: so many a second, and a burst after a pause."""

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """A token bucket. It is full at first; `now` is in seconds of one clock."""

    rate: float
    """Tokens that come back a second."""
    size: float
    """Tokens that it holds."""
    level: float = -1.0
    at: float = 0.0

    def take(self, now: float) -> float:
        """0 when one may go on, else the seconds after which to ask again."""
        since = max(0.0, now - self.at)
        level = self.size if self.level < 0 else min(self.size, self.level + since * self.rate)
        self.at = now
        if level >= 1:
            self.level = level - 1
            return 0.0
        self.level = level
        return (1 - level) / self.rate
