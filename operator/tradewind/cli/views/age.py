"""Ages for people."""

import time

from tradewind.model import duration


def age(created: str) -> str:
    """Time since an API timestamp; `?` if it is invalid. The API server's clock may be ahead of this machine's."""
    try:
        return duration.text(max(0.0, round(time.time() - duration.instant(created))))
    except (TypeError, ValueError, OverflowError):
        return "?"
