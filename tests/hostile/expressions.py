"""Expressions of CEL's grammar, and ones that take long, use much memory, or fool text-based checks."""

import random

LISTS = ["params.xs", "[1, 2, 3]", "params.xs + params.xs", "params.xs.map(q, q)", "params.xs.filter(q, q > 2)"]
LISTS += [
    "params.xs.sort()",
    "range(10000)",
    "[params.xs, params.xs].flatten()",
    "params.text.split('')",
    "params.xs.distinct()",
]
LISTS += ["json.parse(params.text)", "params.xs.slice(1, 2)"]
TEXTS = [
    "params.text",
    "'a'",
    'r"\\d+"',
    "'''it's'''",
    "r'''\"'''",
    "b'\\xff'",
    "'\\u00e9'",
    "params.text + params.text",
    "string(params.n)",
    "'//'",
    "'\\\\'",
]
TEXTS += ["params.text.replace('', params.text)", "'%s %.1000f'.format([params.text, 1.5])", "json.format(params.xs)"]
TEXTS += ["params.text.split('').join(params.text)", "strings.quote(params.text)", "base64.encode(bytes(params.text))"]
NUMBERS = [
    "1",
    "params.n",
    "-9223372036854775808",
    "9223372036854775807",
    "18446744073709551615u",
    "0x7fffffffffffffff",
    "1e308",
    "1.0 / 0.0",
    "params.xs.size()",
    "params.xs.sum()",
    "params.text.indexOf(params.text)",
    "math.greatest(params.xs)",
    "int('5')",
]
COMMENTS = ["", "", "", "// ' \n", '// " \n', "// '''\n", '// r"\n', "//\n", "// [ ( {\n"]
LOOPS = ["map", "filter", "all", "exists", "exists_one"]
REGEXES = [
    "(x+x+)+y",
    "(a|a)*$",
    "(a*)*b",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)[^a]",
    "a{1000}{1000}",
    "(?:a?){500}a{500}",
    "((a{100}){100}){100}",
    "[\\\\w]*$",
    "(",
    "\\\\",
    "(?i)(?:" + "|".join(f"a{n}" for n in range(300)) + ")*$",
]
"""Regular expressions that some engine can't handle."""


def permuted(rng: random.Random) -> str:
    """A name with the same letters as all others of its kind, in another order."""
    return "a" + "".join(rng.sample("abcdefghijklmnopqrstuvwxyz0123456789" * 2, 62))


class Grammar:
    """Generates random expressions: of all types, with comments where whitespace may be."""

    def __init__(self, rng: random.Random) -> None:
        self._rng, self._names = rng, 0

    def boolean(self, depth: int) -> str:
        """An expression that is true or false, if valid."""
        rng, gap = self._rng, self._gap
        if depth <= 0:
            return rng.choice(
                ["true", "params.n > 2", f"params.text.matches('{rng.choice(REGEXES)}')", "params.text == ''"]
            )
        match rng.randrange(7):
            case 0:
                return f"{self.boolean(depth - 1)}{gap()} {rng.choice(['&&', '||', '==', '!='])} {gap()}{self.boolean(depth - 1)}"
            case 1:
                return f"!({gap()}{self.boolean(depth - 1)})"
            case 2:
                return self._loop(depth, rng.choice(LOOPS[2:]))
            case 3:
                return f"{self.text(depth - 1)}.{gap()}{rng.choice(['contains', 'startsWith', 'endsWith', 'matches'])}({self.text(depth - 1)})"
            case 4:
                return f"{self.number(depth - 1)} {gap()}{rng.choice(['<', '>=', '==', '!=', 'in'])} {self.number(depth - 1)}"
            case 5:
                return (
                    f"({self.boolean(depth - 1)} {gap()}? {self.boolean(depth - 1)} : {gap()}{self.boolean(depth - 1)})"
                )
        return f"has(params.{rng.choice(['xs', 'none', 'text'])}) || {self.boolean(depth - 1)}"

    def list(self, depth: int) -> str:
        """An expression that is a list."""
        if depth <= 0:
            return self._rng.choice(LISTS)
        match self._rng.randrange(4):
            case 0:
                return self._loop(depth, self._rng.choice(LOOPS[:2]))
            case 1:
                return f"({self.list(depth - 1)} {self._gap()}+ {self.list(depth - 1)})"
            case 2:
                return f"[{', '.join(self.any(depth - 1) for _ in range(self._rng.randrange(5)))}]"
        return self._rng.choice(LISTS)

    def text(self, depth: int) -> str:
        """An expression that is a text."""
        if depth <= 0:
            return self._rng.choice(TEXTS)
        match self._rng.randrange(4):
            case 0:
                return f"({self.text(depth - 1)} {self._gap()}+ {self.text(depth - 1)})"
            case 1:
                return f"string({self._gap()}{self.number(depth - 1)})"
            case 2:
                return f"({self.boolean(depth - 1)} ? {self.text(depth - 1)} : {self.text(depth - 1)})"
        return self._rng.choice(TEXTS)

    def number(self, depth: int) -> str:
        """An expression that is a number."""
        if depth <= 0:
            return self._rng.choice(NUMBERS)
        match self._rng.randrange(4):
            case 0:
                return f"({self.number(depth - 1)} {self._rng.choice('+-*/%')} {self._gap()}{self.number(depth - 1)})"
            case 1:
                return f"{self._rng.choice([self.list, self.text])(depth - 1)}.size()"
            case 2:
                return f"size({self._gap()}{self.list(depth - 1)})"
        return self._rng.choice(NUMBERS)

    def any(self, depth: int) -> str:
        """An expression of any type."""
        kinds = [self.boolean, self.list, self.text, self.number]
        made = self._rng.choice(kinds)(depth)
        return f"{{'a': {made}}}" if self._rng.random() < 0.1 else made

    def _loop(self, depth: int, how: str) -> str:
        self._names += 1
        name, gap = f"v{self._names}", self._gap
        body = self.boolean(depth - 1) if how != "map" else self.any(depth - 1)
        if self._rng.random() < 0.5:
            body = f"({name} == {name} && {body})" if how != "map" else f"[{name}, {body}]"
        return f"{self.list(depth - 1)}.{gap()}{how}({name}, {gap()}{body})"

    def _gap(self) -> str:
        return self._rng.choice(COMMENTS)


BOMBS = [
    # Hidden growth.
    "// '\nparams.xs.map(x, params.xs.map(y, params.text + params.text)).size() > 0 // '",
    "params.xs.//\nmap(x, params.xs.//\nmap(y, params.text + params.text)).size() > 0",
    "params.xs.map(x, params.text + params.text + params.text + params.text + params.text + params.text).size() > 0",
    "'''\n' '''.size() > 0 && params.xs.map(x, params.xs.map(y, params.text + params.text)).size() > 0",
    "r'\\'.size() > 0 || params.xs.map(x, params.xs.map(y, params.text + params.text)).size() > 0 // '",
    "[params.text].map(a, [a + a + a + a]).map(b, [b[0] + b[0] + b[0] + b[0]]).size() > 0",
    "params.xs.map(x, params).map(y, [y, y, y, y]).map(z, string(z.size())).size() > 0",
    "params.xs.map(x, params.xs.map(y, params.xs.map(z, params.text))).size() > 0",
    # what the engine keeps, and what it does not count
    "range(10000)",
    "range(10000).map(x, null)",
    "params.xs.map(x, null)",
    "[range(3000), range(3000).distinct()].map(x, x.sort().sum())",
    # time
    "params.xs.all(x, params.xs.all(y, !params.text.matches('(x+x+)+y')))",
    "params.xs.all(x, params.xs.all(y, params.text.size() >= 0))",
    "params.xs.all(x, params.xs.all(y, params.text.contains('ab') || true))",
    "params.xs.all(x, params.xs.all(y, params.text + 'a' != params.text))",
    "params.xs.all(a, params.xs.all(b, params.xs.all(c, params.xs.all(d, a + b + c + d >= 0))))",
    "params.xs.exists(x, params.text.startsWith(params.text) && params.text.endsWith(params.text) && false)",
    "params.xs.all(x, string(params.text).size() > 0 && bytes(params.text).size() > 0)",
    "params.text.matches(params.text)",
    "'" + "a" * 200_000 + "'.matches('(a*)*b')",
    "(" * 500 + "1 == 1" + ")" * 500,
    "!" * 5_000 + "true",
    " || ".join(["params.n == 1"] * 5_000),
    "[" * 200 + "]" * 200 + " == []",
    "-" * 5_000 + "1 > 0",
    "{" + ", ".join(f"'k{n}': {n}" for n in range(5_000)) + "}.size() > 0",
    "true" + " ? true : false" * 1_000,
    "params" + ".xs" * 2_000 + " == 1",
    "timestamp('9999-12-31T23:59:59Z') + duration('999999999h') > timestamp('0001-01-01T00:00:00Z')",
    "duration('9223372036s') + duration('9223372036s') > duration('0s')",
    "int(9.3e18) > 0 || uint(-1) > 0u || double('nan') > 0.0",
    "-9223372036854775808 / -1 == 0 || params.n % 0 == 1",
    "'\\ud800' == params.text || '\\U0010ffff' == ''",
    "b'\\xff\\xfe' == bytes(params.text)",
    "params.text == '\0' || params.text == '\x1b[2J'",
    "'\n" * 100,
    "// nothing",
    "",
]  # fmt: skip
"""Each of them did harm, or is similar to one that did."""
