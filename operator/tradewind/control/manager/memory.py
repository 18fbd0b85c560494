"""Giving memory back: after a burst the C library keeps what Python has freed, 15 MB after reading a thousand DAGs."""

import ctypes
import sys
from collections.abc import Callable


def trimmer() -> Callable[[], None]:
    """What gives free memory back to the system, in a millisecond or two; nothing where the C library has no such call."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    trim = getattr(library, "malloc_trim", None)
    return (lambda: None) if trim is None else (lambda: trim(0))
