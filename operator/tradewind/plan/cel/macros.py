"""Macros that the engine lacks, expanded into what it supports."""

from tradewind.plan.cel.tokens import tokens

SORT_BY, SORTED = "sortBy", "tradewind_sorted"


def expanded(expression: str) -> str:
    """The expression with `LIST.sortBy(x, KEY)` as `LIST.map(x, [KEY, x]).tradewind_sorted()`: each element with its
    key, sorted by key. Other text is left as it is."""
    if SORT_BY not in expression:
        return expression
    words = tokens(expression)
    edits: list[tuple[int, int, str]] = []
    open_: list[tuple[int, list[int]]] = []
    """Open brackets, by the index of their token, with the commas within each."""
    for at, word in enumerate(words):
        if word[0] in ("(", "[", "{"):
            open_.append((at, []))
        elif word[0] == "," and open_:
            open_[-1][1].append(at)
        elif word[0] in (")", "]", "}") and open_:
            start, commas = open_.pop()
            called = start > 1 and words[start - 1][0] == SORT_BY and words[start - 2][0] == "."
            if called and commas == [start + 2] and words[start + 1].lastgroup == "name" and at > start + 3:
                name, comma = words[start - 1], words[start + 2]
                edits += [(name.start(), name.end(), "map"), (comma.end(), comma.end(), "[")]
                edits.append((word.start(), word.end(), f", {words[start + 1][0]}]).{SORTED}()"))
    for begin, end, text in sorted(edits, reverse=True):
        expression = expression[:begin] + text + expression[end:]
    return expression


def malformed(expression: str) -> bool:
    """Whether there is a macro that is not written as it must be."""
    words = [word[0] for word in tokens(expanded(expression))]
    return any(words[at : at + 3] == [".", SORT_BY, "("] for at in range(len(words)))
