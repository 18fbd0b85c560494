"""Values that other programs may trip over, by the type of a field."""

import random
from collections.abc import Iterator
from typing import Any

from .inputs import deep
from .place import CROWN

UP = [
    f"../../{CROWN}/secrets/crown", f"../../{CROWN}/configmaps/crown", f"../../../namespaces/{CROWN}/secrets/crown",
    f"../../../../../api/v1/namespaces/{CROWN}/secrets/crown", f"..%2f..%2f{CROWN}%2fsecrets%2fcrown", f"%2e%2e/%2e%2e/{CROWN}/secrets/crown",
    f"/api/v1/namespaces/{CROWN}/secrets/crown", f"own/../../../{CROWN}/secrets/crown", f"..\\..\\{CROWN}\\secrets\\crown",
    "..", ".", "a/b", "a?b", "a#b", "a;b", "a%00b", "a\nb", "a\r\nHost: x", " ", "", "-", "a..b", "own?x=", "own#", "../own", "%2e%2e",
    f"$[[ '../../{CROWN}/secrets/crown' ]]", f"$[[ '..' + '/../{CROWN}/secrets/crown' ]]", "$[[ run.name + '/../x' ]]", "A" * 254, "a" * 64, "ä", "i️", "__proto__",
]  # fmt: skip
"""Names with parts of paths."""
TEXTS = [
    "", "\0", "a\0b", "\ud800", "\udc00\ud800", "\ufeff", "\u202egnp.exe", "\x1b]0;pwned\x07\x1b[2J", "\x9b31m", "a" * 8_192, "a" * 65_536, "é" * 700,
    "\U0010ffff" * 100, "Z" + "\u0301" * 5_000, "\r\n\r\n", "{{ x }}", "${HOME}", "$(K)", "$" * 5_000, "$[[" * 2_000, "$[[ " + "(" * 2_000, "'", '"', "'''",
    "<script>", "; rm -rf /", "%s%n%x", "{0.__class__}", "\\", "yes", "null", "~", "0x10", "1e999", "NaN", "-0", "2026-01-01T00:00:00Z", "١٢٣", "\U0001d7cf\U0001d7d0", "İ", "ß", "\u2028",
]  # fmt: skip
DURATIONS = [
    "0s",
    "0ms",
    "1ms",
    "999999999d",
    "999999999d" * 3,
    "1.999d",
    "0.001ms",
    "-1s",
    "1",
    "",
    "1y",
    "999999999.999h999999999.999h",
    "٣s",
]
MOMENTS = [
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31", "0001-01-01", "2026-02-30", "2026-13-01T00:00:00Z",
    "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z", "+10000-01-01T00:00:00Z", "1970-01-01T00:00:00.123456789Z", "2026-W01-1", "now",
]  # fmt: skip
CRONS = [
    "* * * * * *", "0 0 29 2 *", "0 0 30 2 *", "0 0 31 4 *", "60 * * * *", "* * * * 8", "*/0 * * * *", "*/99999999999 * * * *", "0-99999999 * * * *",
    ",".join(map(str, range(60))) + " * * * *", "0 0 * * 1#99", "@yearly", "@reboot", "L L L L L", "* " * 500, "H * * * *", "0 0 1 1 * 9999",
]  # fmt: skip
ZONES = [
    "../../../../etc/passwd",
    "/etc/passwd",
    "Etc/GMT+99",
    "posixrules",
    "localtime",
    "UTC\0",
    "Europe",
    "right/UTC",
    "a" * 5_000,
    "..",
    ".",
]
NUMBERS = [0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64, 10**30, 1e308, -1e-320, 0.1, "1", True]
DEPTHS = [
    (60, "list"),
    (65, "list"),
    (65, "map"),
    (254, "map"),
    (300, "mixed"),
    (600, "list"),
    (900, "list"),
    (900, "mixed"),
    (1_200, "list"),
    (1_200, "map"),
    (4_900, "mixed"),
    (9_000, "list"),
]
QUANTITIES = ["1e9999", "9" * 300, "-1", "1Zi", "0.0000000001n", "1e-9999", "", "1Ki1", "+1"]


def numbers(field: str, schema: Any, rng: random.Random) -> Iterator[Any]:
    """Numbers, durations, moments, quantities, crons: everything numeric."""
    kinds: list[Any] = {"cron": CRONS, "timeZone": ZONES}.get(field, [])
    if schema.get("type") in ("integer", "number") or schema.get("x-kubernetes-int-or-string"):
        kinds = [*NUMBERS, *QUANTITIES]
    elif "(ms|s|m|h|d)" in schema.get("pattern", "") or field in ("duration", "every", "jitter"):
        kinds = DURATIONS
    elif schema.get("format") == "date-time" or field in (
        "start",
        "end",
        "until",
        "deadline",
        "logicalDate",
        "dates",
        "ticks",
    ):
        kinds = MOMENTS
    elif not schema.get("type"):
        kinds = NUMBERS
    yield from rng.sample(kinds, len(kinds))


def sizes(schema: Any, rng: random.Random) -> Iterator[Any]:
    """Too much of everything."""
    match schema.get("type"):
        case "array":
            inner: Any = {"object": {}, "integer": 1}.get((schema.get("items") or {}).get("type"), "a")
            yield [inner] * 10_000
            yield [f"n{number}" for number in range(5_000)]
        case "object" if "additionalProperties" in schema:
            yield {f"k{number}": "a" for number in range(10_000)}
            yield {"k" * 60_000: "a"}
            yield {f"k{number}": {} for number in range(2_000)}
        case "string":
            yield "a" * 700_000
            yield rng.choice(["$[[ 1 ]]", "$[[ params.k ]]", "é", "1,"]) * 20_000
        case None:
            yield "a" * 700_000
            yield [rng.randrange(10)] * 100_000
            yield {f"k{number}": [number] for number in range(10_000)}


def depths(rng: random.Random) -> Iterator[Any]:
    """Nested lists and maps."""
    for levels, shape in rng.sample(DEPTHS, len(DEPTHS)):
        yield deep(levels, shape)
