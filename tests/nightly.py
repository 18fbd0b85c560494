"""What `make test` plays in a short form, and `make nightly` in a long one."""

import os
from typing import TypeVar

T = TypeVar("T")
NIGHTLY = bool(os.environ.get("TRADEWIND_NIGHTLY"))


def sized(usual: T, nightly: T) -> T:
    """`usual`, or `nightly` where $TRADEWIND_NIGHTLY is set."""
    return nightly if NIGHTLY else usual
