"""The server on the loopback interface: who gets in, and what a browser gets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cli.scene import Scene, scene
from tradewind.server.serving import PortTaken, opened
from tradewind.server.web.guard import Guard
from tradewind.server.web.problem import Refused

from server.guest import UNSAFE, Guest, guest


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


@pytest.fixture
async def stranger(here: Scene) -> AsyncIterator[Guest]:
    async with guest(here.client, sign_in=False) as made:
        yield made


async def test_the_token_of_the_link_is_traded_for_a_cookie(stranger: Guest) -> None:
    status, found = await stranger.ask("GET", "me")
    assert status == 401 and "tradewind ui" in found["detail"]
    answer = await stranger.http.post(f"{stranger.api}session", json={"token": stranger.token}, headers=UNSAFE)
    cookie = answer.headers["Set-Cookie"]
    assert answer.status == 204 and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert cookie.startswith(f"tradewind-{stranger.service.guard.port}=") and stranger.token not in cookie
    assert (await stranger.get("me"))["mode"] == "kubeconfig"


async def test_wrong_tokens_are_refused_and_then_slowed_down(stranger: Guest) -> None:
    seen = []
    for _ in range(12):
        seen.append((await stranger.ask("POST", "session", {"token": "wrong"}))[0])
    assert seen[0] == 401 and seen[-1] == 429


async def test_the_address_for_the_browser_opens_one_session(stranger: Guest) -> None:
    seen = stranger.service.guard.once()
    status, _ = await stranger.ask("POST", "session", {"token": seen})
    assert status == 204 and (await stranger.ask("GET", "me"))[0] == 200
    status, found = await stranger.ask("POST", "session", {"token": seen})
    assert status == 401 and "was used before" in found["detail"]
    assert (await stranger.ask("GET", "me"))[0] == 401, "others have seen it: what it opened is closed"
    await stranger.sign_in()
    assert (await stranger.ask("GET", "me"))[0] == 200


async def test_it_does_so_for_a_minute(stranger: Guest) -> None:
    now = [0.0]
    guard = Guard("usual", lambda: now[0])
    late, soon = guard.once(), guard.once()
    assert guard.trade(soon)
    now[0] = 61.0
    with pytest.raises(Refused):
        guard.trade(late)
    assert guard.trade("usual") and guard.trade("usual")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:1", ""])
async def test_another_name_for_this_machine_is_refused(stranger: Guest, host: str) -> None:
    for path in ("", "api/v1/me", "assets/x.js"):
        answer = await stranger.http.get(f"{stranger.base}/{path}", headers={"Host": host})
        assert answer.status in (400, 421), path


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Tradewind": "1"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "cross-site", "X-Tradewind": "1"},
        {"Sec-Fetch-Site": "same-site", "X-Tradewind": "1"},
        {"Sec-Fetch-Site": "none", "X-Tradewind": "1"},
        {"Origin": "http://evil.example", "X-Tradewind": "1"},
    ],
)
async def test_a_request_that_another_site_can_make_does_nothing(stranger: Guest, headers: dict[str, str]) -> None:
    await stranger.sign_in()
    answer = await stranger.http.post(
        f"{stranger.api}runs/default/x/actions", json={"action": "cancel"}, headers=headers
    )
    assert answer.status == 403 and "Access-Control-Allow-Origin" not in answer.headers


async def test_a_form_of_another_site_does_nothing(stranger: Guest) -> None:
    await stranger.sign_in()
    answer = await stranger.http.post(
        f"{stranger.api}runs/default/x/actions", data={"action": "cancel"}, headers=UNSAFE
    )
    assert answer.status == 415


async def test_documents_have_a_strict_policy(stranger: Guest) -> None:
    for path in ("", "runs/default/x", "dags"):
        answer = await stranger.http.get(f"{stranger.base}/{path}")
        policy = answer.headers["Content-Security-Policy"]
        assert answer.status == 200 and answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe" not in policy
        assert "require-trusted-types-for 'script'" in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["../serving.py", "..%2fserving.py", "assets/../../serving.py", "%2e%2e/guard.py"])
async def test_only_files_of_the_front_end_are_served(stranger: Guest, path: str) -> None:
    answer = await stranger.http.get(f"{stranger.base}/{path}")
    assert "import" not in await answer.text()


async def test_a_taken_port_is_named(here: Scene, stranger: Guest) -> None:
    with pytest.raises(PortTaken, match=r"port \d+ is in use: name another one with --port"):
        async with opened(here.client, mode="kubeconfig", port=stranger.service.guard.port):
            pass


async def test_an_answer_that_has_not_changed_is_not_sent_again(stranger: Guest) -> None:
    await stranger.sign_in()
    first = await stranger.http.get(f"{stranger.api}dags")
    again = await stranger.http.get(f"{stranger.api}dags", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 304 and await again.read() == b""


async def test_a_large_body_is_refused_before_it_is_read(stranger: Guest) -> None:
    answer = await stranger.http.post(
        f"{stranger.api}session", data=b"x" * 100_000, headers={**UNSAFE, "Content-Type": "application/json"}
    )
    assert answer.status == 413


async def test_a_name_with_a_dot_in_an_address_is_no_file(stranger: Guest) -> None:
    for path, status in (("runs/default/report-1.5", 200), ("assets/none.js", 404), ("favicon.none", 200)):
        answer = await stranger.http.get(f"{stranger.base}/{path}")
        assert answer.status == status, path
        assert answer.status == 404 or answer.content_type == "text/html"
