"""Checks of sensors' queries before they are sent."""

import re
from collections.abc import Iterator

from tradewind.model.duration import seconds
from tradewind.model.sensor import HOST, SqlPoll
from tradewind.plan.documents.problem import Problem

_BEFORE = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*+", re.DOTALL)
"""What may precede the first word of a statement."""
_READS = ("select", "with", "values", "table")


def check(path: str, poll: SqlPoll) -> Iterator[Problem]:
    """What is wrong with a query, apart from the expressions of its parameters."""
    if not re.fullmatch(HOST, poll.host):
        yield Problem(f"{path}.host", f"{poll.host!r} is not a host name or address", "write the port into `port`")
    if not seconds(poll.timeout):
        yield Problem(f"{path}.timeout", "leaves no time", "write such as 10s")
    text = poll.query.rstrip().rstrip(";")
    if "$[[" in text:
        words = "write $1 in its place and the expression into `parameters`: it is bound, and can't become a part of the SQL"
        yield Problem(f"{path}.query", "`$[[ ]]` is not rendered in SQL", words)
        return
    begun = _BEFORE.match(text)
    if not text[begun.end() if begun else 0 :].lower().startswith(_READS):
        yield Problem(f"{path}.query", "not a SELECT", "write one that gives rows: a sensor only reads")


def bounded(query: str, rows: int, characters: int) -> str:
    """The query wrapped in one that returns at most `rows` rows, as JSON of at most `characters` characters each: the
    server limits them, so that it sends nothing that is too large to keep."""
    inner = query.rstrip().rstrip(";")
    # The line break ends a comment at the end of the query.
    return f"SELECT left(row_to_json(found)::text, {characters:d}) FROM (\n{inner}\n) AS found LIMIT {rows:d}"  # noqa: S608 - the query is the user's
