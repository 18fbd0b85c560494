"""The certificate of a server: reloaded when its files change, with a warning before it expires."""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from prometheus_client import Gauge

from tradewind import metrics

log = logging.getLogger(__name__)
EXPIRY_WARNING_SECONDS = 14 * 86_400.0
"""Seconds before expiry at which warnings start. cert-manager renews earlier than that."""
LOOK_EVERY = 5.0
"""Seconds between two checks of the files. The kubelet itself takes a minute or two to update a mounted Secret."""
SAY_EVERY = 3_600.0
"""Seconds between two warnings about the same certificate."""


class Unusable(Exception):
    """The files are not a certificate and its key."""


@dataclass(frozen=True, slots=True)
class Use:
    """The purpose of a certificate."""

    whose: str
    otherwise: str
    """The effect of a missing or expired certificate."""
    page: str
    expiry: Gauge


ADMISSION = Use("the webhook's", "nothing is checked at admission", "docs/admission.md", metrics.certificate_expiry)
EVENTS = Use("the endpoint's", "no sender connects", "docs/events.md", metrics.events_certificate_expiry)


@dataclass(frozen=True, slots=True)
class Terms:
    """TLS settings of a server. `ciphers` is OpenSSL's list for TLS 1.2; those of 1.3 are fixed."""

    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    ciphers: str = ""
    clients: Path | None = None
    """Certificate authorities (PEM). Every client has to present a certificate that one of them signed."""

    def context(self) -> ssl.SSLContext:
        """A context without a certificate. Raises Unusable."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = self.minimum
        try:
            if self.ciphers:
                context.set_ciphers(self.ciphers)
            if self.clients:
                context.load_verify_locations(self.clients)
                context.verify_mode = ssl.CERT_REQUIRED
        except OSError as error:  # ssl.SSLError is an OSError
            raise Unusable(f"TLS can't be configured as requested ({error})") from None
        return context


class Certificate:
    """A certificate and its key, in two files. `context` serves the last valid pair."""

    def __init__(
        self,
        cert: Path,
        key: Path,
        tell: Callable[[str, str], None],
        clock: Callable[[], float] = time.time,
        use: Use = ADMISSION,
        terms: Terms | None = None,
    ):
        """`tell(reason, message)` reports trouble: a reason in one word, and a sentence. Raises Unusable."""
        self._cert, self._key, self._tell, self._clock, self._use = cert, key, tell, clock, use
        self._terms = terms or Terms()
        self.context = self._terms.context()
        # A context keeps one certificate for each type of key, and would keep serving an old one of another type. So every
        # connection is handed to the newest context.
        self.context.sni_callback = self._hand_over
        self._newest = self.context
        self._read = b""
        self._reported: tuple[str, float] = ("", float("-inf"))
        self.expires = 0.0
        """When it expires, in epoch seconds."""
        self._load()

    async def watch(self) -> None:
        """Follows changes of the files. Never returns."""
        while True:
            self.refresh()
            await asyncio.sleep(LOOK_EVERY)

    def refresh(self) -> None:
        """Loads the files if they changed, and reports trouble."""
        try:
            self._load()
        except Unusable as error:
            self._say(
                "CertificateUnusable",
                f"the changed certificate is not used: {error}; the previous one is used until it expires",
            )
            return
        if trouble := self.trouble():
            self._say("CertificateExpired" if self.expired else "CertificateExpiresSoon", trouble)

    @property
    def expired(self) -> bool:
        """Whether it has expired."""
        return self._clock() >= self.expires

    def trouble(self) -> str:
        """What is wrong and how to fix it; empty if nothing is."""
        left = self.expires - self._clock()
        if left > EXPIRY_WARNING_SECONDS:
            return ""
        day = datetime.fromtimestamp(self.expires, UTC).strftime("%Y-%m-%d %H:%M UTC")
        what = (
            f"expires on {day}, in {left / 86_400:.1f} days" if left > 0 else f"expired on {day}: {self._use.otherwise}"
        )
        return f"{self._use.whose} certificate {what}; renew it: `helm upgrade`, or see {self._use.page}"

    def _load(self) -> None:
        try:
            cert, key = self._cert.read_bytes(), self._key.read_bytes()
            read = cert + key + (self._terms.clients.read_bytes() if self._terms.clients else b"")
        except OSError as error:
            raise Unusable(str(error)) from None
        if read == self._read:
            return
        newest = self._terms.context()
        try:
            newest.load_cert_chain(self._cert, self._key)
            expires = min(item.not_valid_after_utc for item in x509.load_pem_x509_certificates(cert))
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise Unusable(f"{self._cert} and {self._key} are not a certificate and its key ({error})") from None
        self._newest, self._read, self.expires = newest, read, expires.timestamp()
        self._use.expiry.set(self.expires)
        log.info("certificate of %s, until %s", self._cert, expires)

    def _hand_over(self, connection: ssl.SSLObject, *_: object) -> None:
        connection.context = self._newest

    def _say(self, reason: str, words: str) -> None:
        """Reports now, and repeatedly while the trouble lasts."""
        last, at = self._reported
        if last == reason and self._clock() < at + SAY_EVERY:
            return
        self._reported = (reason, self._clock())
        log.warning("%s", words)
        self._tell(reason, words)
