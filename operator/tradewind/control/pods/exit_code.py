"""What an exit code says by itself, for people."""

import signal

KNOWN = {
    126: "a command can't be executed",
    127: "a command was not found",
    128 + signal.SIGABRT: "it gave up: SIGABRT",
    128 + signal.SIGKILL: "it was killed by SIGKILL, sent manually or by the system, perhaps for lack of memory",
    128 + signal.SIGSEGV: "it crashed: SIGSEGV",
    128 + signal.SIGTERM: "it was stopped by SIGTERM",
}
"""By custom of shells: 128 and more is a signal."""


def meaning(code: int) -> str:
    """`` (it crashed: SIGSEGV)``; empty where the code says nothing by itself. The container's runtime says OOMKilled where it knows that
    memory was the reason."""
    if code in KNOWN:
        return f" ({KNOWN[code]})"
    try:
        return f" ({signal.Signals(code - 128).name})" if code > 128 else ""
    except ValueError:
        return ""
