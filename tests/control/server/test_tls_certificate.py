"""The webhook's certificate: a new one is served at once, and an expiring one is reported where operators look."""

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from tradewind import metrics
from tradewind.control.server.tls_certificate import SAY_EVERY, Certificate, Unusable

from control.certificates import write


class Said(list[tuple[str, str]]):
    """Reasons and sentences."""

    def __call__(self, reason: str, words: str) -> None:
        self.append((reason, words))


async def served(certificate: Certificate) -> x509.Certificate:
    """The certificate that a new connection sees."""

    async def leave(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(leave, "127.0.0.1", 0, ssl=certificate.context) as server:
        port = server.sockets[0].getsockname()[1]
        found = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
    return x509.load_pem_x509_certificate(found.encode())


@pytest.mark.parametrize("kinds", [("ec", "ec"), ("ec", "rsa"), ("rsa", "ec")])
async def test_a_changed_certificate_is_served_to_the_next_connection(tmp_path: Path, kinds: tuple[str, str]) -> None:
    said = Said()
    certificate = Certificate(*write(tmp_path, timedelta(days=100), kind=kinds[0]), said)
    before = await served(certificate)
    cert, _ = write(tmp_path, timedelta(days=200), kind=kinds[1])
    certificate.refresh()
    after = await served(certificate)
    assert after != before and after == x509.load_pem_x509_certificate(cert.read_bytes())
    assert (
        metrics.ADMISSION.get_sample_value("tradewind_webhook_certificate_expiry_timestamp_seconds")
        == certificate.expires
    )
    assert after.not_valid_after_utc.timestamp() == certificate.expires and not said


async def test_files_that_do_not_belong_together_leave_the_old_certificate_in_use(tmp_path: Path) -> None:
    said = Said()
    certificate = Certificate(*write(tmp_path, timedelta(days=100)), said)
    before = await served(certificate)
    _, other = write(tmp_path / "other", timedelta(days=200))
    (tmp_path / "tls.key").write_bytes(other.read_bytes())
    certificate.refresh()
    assert await served(certificate) == before
    [(reason, words)] = said
    assert reason == "CertificateUnusable" and "the previous one is used" in words
    write(tmp_path, timedelta(days=300))
    certificate.refresh()
    assert await served(certificate) != before and len(said) == 1


@pytest.mark.parametrize(
    ("ends_in", "reason", "words", "expired"),
    [
        (timedelta(days=15), "", "", False),
        (timedelta(days=13), "CertificateExpiresSoon", "expires on ", False),
        (timedelta(seconds=-1), "CertificateExpired", "expired on ", True),
    ],
)
def test_the_end_is_said_before_and_after_it(
    tmp_path: Path, ends_in: timedelta, reason: str, words: str, expired: bool
) -> None:
    said = Said()
    certificate = Certificate(*write(tmp_path, ends_in), said)
    certificate.refresh()
    assert certificate.expired == expired and words in certificate.trouble()
    assert [told for told, _ in said] == ([reason] if reason else [])
    assert not reason or "renew it: `helm upgrade`" in certificate.trouble()


def test_it_is_said_again_but_not_all_the_time(tmp_path: Path) -> None:
    said, now = Said(), [0.0]
    certificate = Certificate(*write(tmp_path, timedelta(days=1)), said, lambda: now[0])
    now[0] = certificate.expires - 7_200
    for _ in range(9):
        certificate.refresh()
    assert len(said) == 1
    now[0] += SAY_EVERY
    certificate.refresh()
    assert len(said) == 2
    now[0] = certificate.expires
    certificate.refresh()
    assert [reason for reason, _ in said][-1] == "CertificateExpired"


def test_files_that_are_no_certificate_are_refused_at_the_start(tmp_path: Path) -> None:
    cert, key = write(tmp_path, timedelta(days=1))
    cert.write_text("text")
    with pytest.raises(Unusable, match="are not a certificate and its key"):
        Certificate(cert, key, Said())
    with pytest.raises(Unusable, match="No such file"):
        Certificate(tmp_path / "absent", key, Said())
