"""The names of all functions, and suggestions for misspelled ones."""

import re

from tradewind.plan.cel.functions.prices import PRICES
from tradewind.plan.cel.macros import malformed
from tradewind.plan.documents.nearest import nearest

_ENGINE = (
    "sortBy size contains startsWith endsWith matches string bytes int uint double bool timestamp duration type dyn has map filter all exists "
    "exists_one getDate getDayOfMonth getDayOfWeek getDayOfYear getFullYear getHours getMilliseconds getMinutes getMonth getSeconds "
    "math.greatest math.least"
)
NAMES = (*_ENGINE.split(), *(name for name in PRICES if "@" not in name and not name.startswith("tradewind")))
"""The names of all functions."""
_ELSEWHERE = {
    "upper": "upperAscii",
    "toupper": "upperAscii",
    "touppercase": "upperAscii",
    "lower": "lowerAscii",
    "tolower": "lowerAscii",
    "tolowercase": "lowerAscii",
    "strip": "trim",
    "len": "size",
    "length": "size",
    "count": "size",
    "str": "string",
    "tostring": "string",
    "float": "double",
    "number": "double",
    "boolean": "bool",
    "unique": "distinct",
    "sorted": "sort",
    "orderby": "sortBy",
    "sort_by": "sortBy",
    "any": "exists",
    "substr": "substring",
    "includes": "contains",
    "json.loads": "json.parse",
    "fromjson": "json.parse",
    "parsejson": "json.parse",
    "json.dumps": "json.format",
    "json.stringify": "json.format",
    "tojson": "json.format",
    "re.sub": "regex.replace",
    "re.search": "regex.extract",
    "re.findall": "regex.extractAll",
    "printf": "format",
    "sprintf": "format",
    "math.max": "math.greatest",
    "math.min": "math.least",
    "abs": "math.abs",
    "round": "math.round",
    "ceil": "math.ceil",
    "floor": "math.floor",
}
"""Functions of other languages, with their equivalents."""
_TIMES = frozenset({"now", "today", "time", "utcnow", "date"})


def unknown(name: str, expression: str) -> str:
    """A message about an unknown name that is called as a function; empty otherwise."""
    if not name:
        return ""
    if malformed(expression):
        return "sortBy begins with a name for each entry, and has one key; write LIST.sortBy(x, x.KEY)"
    match = re.search(rf"(?<!\w)({re.escape(name)}(?:\.[A-Za-z]\w{{0,63}})?)\s*\(", expression)
    if not match:
        return ""
    called = match[1]
    if called != name and called.rpartition(".")[2] in NAMES:
        return ""  # the object of the call is unknown too
    if called in NAMES:
        return f"{called} is called on a value; write VALUE.{called}(...)"
    if called.lower() in _TIMES:
        return f"there is no function {called!r}; times are facts of the run: run.startedAt, run.logicalDate"
    meant = _ELSEWHERE.get(called.lower()) or nearest(called, NAMES)
    guess = f"did you mean {meant}? " if meant else ""
    return f"there is no function {called!r}; {guess}the page on functions lists all"
