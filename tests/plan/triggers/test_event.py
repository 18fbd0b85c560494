"""Events: their content, which are the same, what a signature covers, and how many are accepted."""

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.model.event import EventSource, SignedEvents
from tradewind.model.trigger import SOURCES, TriggerSpec
from tradewind.plan.capacity.token_bucket import Bucket
from tradewind.plan.triggers.event import Unreadable, covered, is_signed, key_of, read, same
from tradewind.plan.triggers.trigger import check

REF = {"name": "s", "key": "k"}
CLOUD = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


def trigger(**event: Any) -> TriggerSpec:
    source = {"authentication": {"token": {"secretRef": REF}}, **event}
    return TriggerSpec.model_validate({"dag": "d", "event": source})


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"key": "event.body."}, "spec.event.key: `event.body.`"),
        ({"key": "event.bdy"}, "there is no 'event.bdy'; there are trigger.name"),
        (
            {"key": "event.type == ''"},
            "spec.event.key: `event.type == ''`: gives true or false, not a string or an integer",
        ),
        (
            {"authentication": {}},
            "spec.event.authentication: 0 ways are given; write one of kubernetes, hmac and token",
        ),
        (
            {"authentication": {"kubernetes": {}, "token": {"secretRef": REF}}},
            "spec.event.authentication: 2 ways are given",
        ),
        (
            {"authentication": {"hmac": {"secretRef": REF, "window": "1h"}}},
            "spec.event.authentication.hmac.window: 1h is out of bounds; write 1s to 5m",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_field(event: dict[str, Any], words: str) -> None:
    assert words in "\n".join(map(str, check(trigger(**event), {})))


def test_what_is_right_is_not() -> None:
    assert check(trigger(), {}) == []
    assert check(trigger(key="string(event.body.n)", authentication={"kubernetes": {"audience": ""}}), {}) == []


def test_one_source_has_to_be_there() -> None:
    both = TriggerSpec.model_validate({**trigger().model_dump(by_alias=True), "schedule": {"cron": "@daily"}})
    assert [str(problem) for problem in check(both, {})] == [
        f"spec: schedule and event are given; write one of {', '.join(SOURCES)}"
    ]
    none = check(TriggerSpec.model_validate({"dag": "d"}), {})
    assert [str(problem) for problem in none] == [f"spec: nothing fires it; write one of {', '.join(SOURCES)}"]


def key(source: EventSource | None, headers: dict[str, str], data: bytes = b"{}", **more: Any) -> str:
    source = source or EventSource.model_validate({"authentication": {"kubernetes": {}}})
    return key_of(source, read(headers, data, **more), lambda expression: expression)


def test_a_key_is_what_the_sender_says_else_what_the_event_is() -> None:
    binary = {f"ce-{name}": text for name, text in CLOUD.items()}
    assert key(None, {}) == "" and key(None, {"idempotency-key": "k"}) == "k"
    assert key(None, {**binary, "idempotency-key": "k"}) == "k" and key(None, binary) == "/s 1"
    assert key(None, {}, signed="all of it") == "all of it"
    assert key(None, {"idempotency-key": "k"}, signed="all of it") == "k"
    assert key(None, {"idempotency-key": "k"}, signed="all of it", bare=True) == "all of it"
    with pytest.raises(Unreadable, match="does not cover the headers"):
        key(None, binary, signed="all of it")


def test_expressions_do_not_see_credentials() -> None:
    headers = {"authorization": "Bearer x", "cookie": "x", "proxy-authorization": "x", "x-kind": "y"}
    assert read(headers, b"").values("k")["event.headers"] == {"x-kind": "y"}


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20)), st.binary(max_size=200))
def test_whatever_is_sent_is_read_or_refused(headers: dict[str, str], data: bytes) -> None:
    for kind in ("", "application/json", "application/cloudevents+json"):
        for cloud in ({}, {f"ce-{name}": text for name, text in CLOUD.items()}):
            try:
                read({**headers, **cloud, "content-type": kind}, data).values("")
            except Unreadable as error:
                assert str(error)


TEXT = st.text(st.characters(blacklist_characters="\n\r", blacklist_categories=["Cs"]), max_size=6)
SENT = st.tuples(TEXT, TEXT, st.binary(max_size=6))


@given(SENT, SENT)
def test_two_events_are_signed_alike_only_if_time_key_and_body_are_the_same(
    one: tuple[str, str, bytes], other: tuple[str, str, bytes]
) -> None:
    how = SignedEvents.model_validate({"secretRef": REF})

    def text(sent: tuple[str, str, bytes]) -> bytes:
        return covered(how, {"tradewind-timestamp": sent[0], "idempotency-key": sent[1]}, sent[2])

    assert (text(one) == text(other)) is (one == other)


def test_a_signature_is_right_in_any_case_with_or_without_its_prefix() -> None:
    how = SignedEvents.model_validate({"secretRef": REF})
    digest = hmac.new(b"secret", b"1\n\n{}", hashlib.sha256).hexdigest()
    for shown in (digest, f"sha256={digest}", digest.upper()):
        assert is_signed(how, b"secret", {"tradewind-timestamp": "1", "tradewind-signature": shown}, b"{}")
    for wrong in ("", digest[:-1], f"{digest}0", "\udcff", f"sha1={digest}"):
        assert not is_signed(how, b"secret", {"tradewind-timestamp": "1", "tradewind-signature": wrong}, b"{}")
    assert same("token", b"token") and not same("tokens", b"token") and not same("\udcff", b"token")


@given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 5), st.integers(1, 20))
def test_in_no_span_more_is_taken_than_the_rate_and_what_fits_at_once(
    pauses: list[float], rate: int, size: int
) -> None:
    bucket, now, taken = Bucket(rate, size), 100.0, []
    for pause in pauses:
        now += pause
        if not (wait := bucket.take(now)):
            taken.append(now)
        else:
            assert 0 < wait <= 1 / rate
    for first, begin in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= size + (taken[last] - begin) * rate + 1e-6


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    bucket = Bucket(1, 1)
    assert bucket.take(10) == 0 and bucket.take(5) > 0 and bucket.take(6.0) == 0


def test_headers_that_are_no_utf_8_are_shown_with_what_is_readable() -> None:
    """A server passes bytes that are not UTF-8 on as halves of surrogate pairs, which can't be encoded."""
    event = read({"x-name": "J\udcfcrgen", "idempotency-key": "a\udcff"}, b"")
    shown = event.values(event.usual_key)
    assert shown["event.headers"]["x-name"] == "J\ufffdrgen" and shown["event.key"] == "a\ufffd"
