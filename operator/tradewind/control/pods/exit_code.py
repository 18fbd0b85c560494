"""The meaning of an exit code, in words."""

import signal

KNOWN = {
    126: "a command can't be executed",
    127: "a command was not found",
    128 + signal.SIGABRT: "it gave up: SIGABRT",
    128 + signal.SIGKILL: "it was killed by SIGKILL, sent manually or by the system, perhaps for lack of memory",
    128 + signal.SIGSEGV: "it crashed: SIGSEGV",
    128 + signal.SIGTERM: "it was stopped by SIGTERM",
}
"""By convention of shells, 128 and above is a signal."""


def meaning(code: int) -> str:
    """`` (it crashed: SIGSEGV)``; empty for a code without a common meaning. The container runtime reports OOMKilled itself where it knows
    that memory was the reason."""
    if code in KNOWN:
        return f" ({KNOWN[code]})"
    try:
        return f" ({signal.Signals(code - 128).name})" if code > 128 else ""
    except ValueError:
        return ""
