"""The size of a regular expression with its repetitions expanded, which determines the cost of compiling and matching
it."""

import re
from dataclasses import dataclass

_FEW, _MANY = 2.0, 1_000.0
"""The size, in letters, of a character beyond ASCII (in a class, of a range of its own) and of a Unicode class."""
_TOKEN = re.compile(
    r"""(?P<quoted>\\Q(?:[^\\]|\\(?!E))*(?:\\E)?)
      | (?P<large>\\[pP](?:\{[^}]{0,64}\}|.)?)
      | (?P<code>\\x(?:\{[^}]{0,64}\}|.{1,2})?)
      | (?P<escaped>\\.?)
      | (?P<set>\[\^?\]?(?:\\.|\[:\^?\w*:\]|[^\]\\])*\]?)
      | (?P<count>\{(?P<least>[0-9]{0,8}),?(?P<most>[0-9]{0,8})\})
      | (?P<open>\((?:\?(?:P?<\w{0,64}>|[a-zA-Z-]{0,16}:|[a-zA-Z-]{0,16}(?=\)))?)?)
      | (?P<close>\))
      | (?P<between>[|*+?])
      | (?P<letter>.)""",
    re.DOTALL | re.VERBOSE,
)
"""No alternative looks far ahead: longer text is taken letter by letter, and RE2 accepts no number of more than eight
digits."""
_ANY = 8.0
"""Characters beyond ASCII in a negated class: as many byte ranges."""
_FOLDED = re.compile(r"\(\?[a-zA-Z]*i")
_OF_UNICODE = re.compile(r"\\[pP]")
_NEGATED = re.compile(r"\[\^|\\[WDS]")


@dataclass(slots=True)
class Extent:
    """Parts of a regular expression, each counted as often as it is repeated."""

    letters: float = 0.0
    """Letters and ASCII classes."""
    large: float = 0.0
    """Unicode classes."""
    wide: float = 0.0
    """Characters beyond ASCII."""

    @property
    def states(self) -> float:
        """The maximum number of states of the automaton."""
        return 4.0 * self.letters + _MANY * self.large + _FEW * self.wide

    def add(self, other: "Extent", times: float = 1.0) -> None:
        """Adds another extent, `times` times."""
        self.letters += other.letters * times
        self.large += other.large * times
        self.wide += other.wide * times


def extent(pattern: str) -> Extent:
    """The parts of a regular expression, in one pass over its text: groups and repetitions as RE2 reads them; nothing
    is refused."""
    folded = _FOLDED.search(pattern) is not None
    groups, last = [Extent()], Extent()
    for token in _TOKEN.finditer(pattern):
        match token.lastgroup:
            case "open":
                groups.append(Extent(letters=1.0))
                last = Extent()
                continue
            case "close":
                last = groups.pop()
                groups = groups or [Extent()]
            case "count":
                again = float(min(max(int(token["least"] or 1), int(token["most"] or 1), 1), 1_000)) - 1
                groups[-1].add(last, again)
                repeated = Extent()
                repeated.add(last, again + 1)
                last = repeated
                continue
            case "between":
                groups[-1].letters += 1.0
                continue
            case "quoted":
                text = token[0].removeprefix("\\Q").removesuffix("\\E")
                groups[-1].add(_of_text(text[:-1], folded))
                last = _of_text(text[-1:], folded)
            case _:
                last = _of_text(token[0], folded) if token.lastgroup in ("set", "letter") else _of_escape(token, folded)
        groups[-1].add(last)
    whole = Extent()
    for group in groups:  # unclosed groups count too
        whole.add(group)
    return whole


def _of_text(text: str, folded: bool) -> Extent:
    """Literal letters, or one class in brackets."""
    wide = sum(not letter.isascii() for letter in text)
    if len(text) < 2:
        return Extent(float(len(text)), float(folded and wide), wide + (_ANY if text == "." else 0.0))
    if text[0] != "[":
        return Extent(float(len(text)), float(folded and wide), float(wide))
    codes, large, other = text.count("\\x{"), len(_OF_UNICODE.findall(text)), _NEGATED.search(text) is not None
    large += folded and bool(wide or codes or other)
    return Extent(1.0, float(large), wide + codes + (_ANY if other else 0.0))


def _of_escape(token: re.Match[str], folded: bool) -> Extent:
    if token.lastgroup == "large":
        return Extent(1.0, 1.0)
    beyond = token[0].startswith("\\x{") or token[0] in ("\\W", "\\D", "\\S")
    return Extent(1.0, float(folded and beyond), _ANY if beyond else 0.0)
