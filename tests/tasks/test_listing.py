"""Listings of servers: parsed once from start to end, and no further than sensible."""

import pytest
from tradewind.tasks import listing
from tradewind.tasks.listing import ERROR, Listed, Malformed, listed, told

ITEM = "<Contents><Key>a/b</Key><LastModified>2026-01-31T06:00:00Z</LastModified><ETag>&quot;e&quot;</ETag><Size>7</Size></Contents>"
OBJECT = Listed("a/b", 7, "e", "2026-01-31T06:00:00Z")


def page(inner: str) -> bytes:
    return f"<ListBucketResult>{inner}</ListBucketResult>".encode()


def test_objects_and_the_next_pages_token_are_read() -> None:
    more = "<NextContinuationToken>t&amp;1</NextContinuationToken>"
    assert listed(page("")) == ([], "")
    assert listed(page(f"<IsTruncated>true</IsTruncated>{more}{ITEM}{ITEM}")) == ([OBJECT, OBJECT], "t&1")
    assert listed(page(f"<IsTruncated>false</IsTruncated>{more}")) == ([], "")
    named = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    )
    assert listed(named + ITEM.encode() + b"<Owner><ID>x</ID></Owner></ListBucketResult>") == ([OBJECT], "")


BOMB = '<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><ListBucketResult>&b;</ListBucketResult>'


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (page("<Contents>" * 350_000), "more elements than a page has"),
        (page("<Contents></Contents>" * 190_000), "more than 1000 objects on a page"),
        (page("<a></a>" * 40_000), "more elements than a page has"),
        (page(ITEM + "<Contents>"), "mismatched tag"),
        (b"<Contents>" * 12_000, "the document is not a ListBucketResult"),
        (BOMB.encode(), "a document type"),
        (b'<!DOCTYPE l SYSTEM "file:///etc/passwd"><ListBucketResult/>', "a document type"),
        (b"<ListBucketResult>&undefined;</ListBucketResult>", "undefined entity"),
        (b"", "no element found"),
        (b"\xff\xfe\x00", ""),
        (page(ITEM.replace("7", "-1", 1).replace("<Size>7", "<Size>-1")), "a size that is none"),
        (page(ITEM.replace("<Size>7", f"<Size>{2**63}")), "a size that is none"),
        (page(ITEM.replace("<Size>7", f"<Size>{'9' * 100_000}")), "a size that is none"),
        (page(ITEM.replace("2026-01-31T06:00:00Z", "")), ""),
    ],
)
def test_what_is_no_listing_is_refused(document: bytes, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        listed(document)


def test_twice_as_much_is_at_most_twice_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is counted in visited elements."""
    steps = 0

    class Counting(listing._Reader):
        def _start(self, name: str, attributes: object) -> None:
            nonlocal steps
            steps += 1
            super()._start(name, attributes)

    monkeypatch.setattr(listing, "_Reader", Counting)
    found = []
    for size in (1_000, 2_000, 200_000, 400_000):
        steps = 0
        with pytest.raises(Malformed):
            listed(b"<ListBucketResult>" + b"<Contents>" * size)
        found.append(steps)
    assert found[0] <= found[1] <= 2 * found[0] and found[2] == found[3] <= listing.ELEMENTS


def test_an_error_says_what_can_be_read_of_it() -> None:
    error = "<Error><Code>AccessDenied</Code><Message>No &lt;way&gt;.</Message>"
    assert told(f"{error}</Error>".encode()) == ("AccessDenied", "No <way>.")
    assert told(error.encode()) == ("AccessDenied", "No <way>.")
    assert told(b"<html>Please log in</html>") == ("", "") == told(b"")
    assert told(b"<Error>" + b" " * ERROR + b"<Code>late</Code></Error>") == ("", "")
