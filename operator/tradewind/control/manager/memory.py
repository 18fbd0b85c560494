"""Returns free memory to the system: after a burst, the C library keeps what Python has freed, such as 15 MB after reading a thousand
DAGs."""

import ctypes
import sys
from collections.abc import Callable


def trimmer() -> Callable[[], None]:
    """A function that returns free memory to the system, in a millisecond or two; it does nothing if the C library has no such call."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    trim = getattr(library, "malloc_trim", None)
    return (lambda: None) if trim is None else (lambda: trim(0))
