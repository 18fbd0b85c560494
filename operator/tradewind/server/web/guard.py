"""Who may talk to the server at all: the address, the session, and requests that another site can't make."""

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

from aiohttp import web

from tradewind.server.web.problem import Refused

SESSIONS = 100
"""Sessions at the same time; the oldest goes first."""
TRIES, WITHIN = 10, 10.0
"""Wrong tokens that are accepted, and in how many seconds."""
SOON = 60.0
"""Seconds within which a token for one use counts."""
NEW_LINK = "open the address that `tradewind ui` printed in the terminal; if that is gone, start it again"
HEADERS = {
    "Server": "tradewind",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
"""Of every answer."""


def policy(nonce: str = "") -> str:
    """The Content-Security-Policy of a document."""
    styles = f"'self' 'nonce-{nonce}'" if nonce else "'self'"
    return (
        f"default-src 'none'; script-src 'self'; style-src {styles}; img-src 'self' data:; connect-src 'self';"
        " font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'"
    )


SANDBOX = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; base-uri 'none'; frame-ancestors 'none'"
)
"""The policy of what is downloaded."""


class Guard:
    """The sessions of a server on the loopback interface."""

    def __init__(self, token: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._token, self._clock = token, clock
        self._sessions: OrderedDict[str, None] = OrderedDict()
        self._wrong: list[float] = []
        self._once: dict[str, tuple[float, str]] = {}
        """Tokens for one use: until when, and the session that was made with each."""
        self.port = 0

    @property
    def cookie(self) -> str:
        """The cookie's name. Cookies of one host don't tell its ports apart."""
        return f"tradewind-{self.port}"

    def check_host(self, request: web.Request) -> None:
        """Refuses names that only lead here by a trick of DNS. Raises Refused."""
        if request.headers.get("Host", "") not in {
            f"{host}:{self.port}" for host in ("127.0.0.1", "localhost", "[::1]")
        }:
            raise Refused(421, f"this server answers as 127.0.0.1:{self.port} and localhost:{self.port} only")

    def check_session(self, request: web.Request) -> None:
        """Raises Refused."""
        if request.cookies.get(self.cookie, "") not in self._sessions:
            raise Refused(401, f"there is no session: {NEW_LINK}")

    def lives(self, request: web.Request) -> bool:
        """Whether the session of a request still exists."""
        return request.cookies.get(self.cookie, "") in self._sessions

    @staticmethod
    def check_origin(request: web.Request) -> None:
        """Refuses unsafe requests that another site could make. Raises Refused."""
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        if site is not None and site != "same-origin":
            raise Refused(403, "the request comes from another site")
        if site is None and origin != f"http://{request.headers.get('Host', '')}":
            raise Refused(403, "the request does not say that it comes from this site: send Sec-Fetch-Site or Origin")
        if request.headers.get("X-Tradewind") != "1":
            raise Refused(403, "the header `X-Tradewind: 1` is missing")
        if request.content_type != "application/json":
            raise Refused(415, "write the body as application/json")

    def trade(self, token: str) -> str:
        """A new session for the token. Raises Refused."""
        now = self._clock()
        self._wrong = [at for at in self._wrong if at > now - WITHIN]
        if len(self._wrong) >= TRIES:
            raise Refused(429, "too many wrong tokens: wait a little", retry=int(WITHIN))
        made = secrets.token_urlsafe(32)
        if not self._fits(token, made, now):
            self._wrong.append(now)
            raise Refused(401, f"this link is not of this server, or was used before: {NEW_LINK}")
        self._sessions[made] = None
        while len(self._sessions) > SESSIONS:
            self._sessions.popitem(last=False)
        return made

    def once(self) -> str:
        """A token for one use, soon: for an address that other users of the machine may see, in a list of processes."""
        made = secrets.token_urlsafe(24)
        self._once[made] = (self._clock() + SOON, "")
        return made

    def _fits(self, token: str, session: str, now: float) -> bool:
        """Whether a token opens a session. One that is used twice has been seen by others, and what it opened is closed."""
        known = next((known for known in self._once if _same(known, token)), None)
        if known is None:
            return _same(self._token, token)
        until, used = self._once[known]
        if used or until < now:
            self._sessions.pop(used, None)
            return False
        self._once[known] = (until, session)
        return True


def _same(known: str, token: str) -> bool:
    return hmac.compare_digest(token.encode(errors="replace"), known.encode())
