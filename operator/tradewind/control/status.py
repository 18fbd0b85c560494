"""Ended attempts as text: what the status of a run stores, small enough for ten thousand tasks.

One line an attempt: `task start+seconds` (or `task[item] start+seconds`), start counted from the run's creation, then only what
differs from the usual: `#2` the attempt (1), `@1` the node's index in status.nodes (0), `=137` the exit code, and the reason
(succeeded).
"""

from collections.abc import Iterable, Sequence

from tradewind.plan.attempt import Attempt


def append(text: str, nodes: Sequence[str], attempts: Iterable[Attempt], epoch: int) -> tuple[str, list[str]]:
    """The text with more attempts, and the nodes that it refers to. `epoch` is the run's creation in epoch seconds."""
    places = {node: place for place, node in enumerate(nodes)}
    lines = [text] if text else []
    for attempt in attempts:
        parts = [attempt.task, f"{attempt.start - epoch}+{attempt.end - attempt.start}"]
        if attempt.number != 1:
            parts.append(f"#{attempt.number}")
        if index := places.setdefault(attempt.node, len(places)):
            parts.append(f"@{index}")
        if attempt.exit_code:
            parts.append(f"={attempt.exit_code}")
        if attempt.reason:
            parts.append(attempt.reason)
        lines.append(" ".join(parts))
    return "\n".join(lines), list(places)


def decode(text: str, nodes: Sequence[str], epoch: int) -> list[Attempt]:
    """The attempts, in the order of the lines. Raises ValueError for text that `append` did not make."""
    return [_decode(line, nodes, epoch) for line in text.splitlines() if line]


def _decode(line: str, nodes: Sequence[str], epoch: int) -> Attempt:
    try:
        task, times, *rest = line.split(" ")
        start_text, _, length = times.rpartition("+")
        start = epoch + int(start_text)
        number, node, code, reason = 1, 0, None, ""
        for part in rest:
            match part[0]:
                case "#":
                    number = int(part[1:])
                case "@":
                    node = int(part[1:])
                case "=":
                    code = int(part[1:])
                case _:
                    reason = part
        return Attempt(task, number, start, start + int(length), reason, code, nodes[node] if nodes else "")
    except (ValueError, IndexError):
        raise ValueError(f"status.attempts has a line that can't be read: {line[:80]!r}") from None
