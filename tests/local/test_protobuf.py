"""Bodies in Kubernetes' protobuf are decoded to the right objects, and garbage is refused with a message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.local.apiserver.protobuf import MAGIC, decoded


def field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2, len(data)]) + data


def body(kind: str, raw: bytes) -> bytes:
    return MAGIC + field(1, field(1, b"v1") + field(2, kind.encode())) + field(2, raw)


def test_maps_lists_numbers_and_texts_are_read() -> None:
    entry = field(2, field(1, b"a") + field(2, b"b"))
    assert decoded(body("ConfigMap", field(1, field(1, b"c") + field(3, b"")) + entry)) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c"},
        "data": {"a": "b"},
    }
    spec = field(1, b"x") + field(1, b"y") + bytes([4 << 3, 0x90, 0x1C])
    assert decoded(body("TokenRequest", field(2, spec)))["spec"] == {"audiences": ["x", "y"], "expirationSeconds": 3600}


def test_other_kinds_are_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match="reads Deployment as JSON or YAML only: `kubectl apply -f`"):
        decoded(body("Deployment", b""))


@given(st.binary(max_size=200), st.sampled_from(["ConfigMap", "Role", "TokenRequest", "DeleteOptions"]))
def test_garbage_is_refused_and_raises_nothing_else(data: bytes, kind: str) -> None:
    for sent in (data, MAGIC + data, body(kind, data[:100])):
        try:
            assert isinstance(decoded(sent), dict)
        except ValueError:
            continue
