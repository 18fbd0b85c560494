"""Protobuf's wire format, as far as the engine's checked trees use it."""

from struct import unpack
from typing import Any

Fields = list[tuple[int, Any]]
"""Field numbers and values: integers of varints, bytes of all else."""


def unpacked(raw: bytes) -> Fields:
    """The fields of a message: integers of varints, bytes of all else."""
    at, found = 0, Fields()
    while at < len(raw):
        key, at = _varint(raw, at)
        match key & 7:
            case 0:
                value, at = _varint(raw, at)
                found.append((key >> 3, value))
            case 1:
                found.append((key >> 3, unpack("<d", raw[at : at + 8])[0]))
                at += 8
            case 2:
                size, at = _varint(raw, at)
                found.append((key >> 3, raw[at : at + size]))
                at += size
            case wire:
                raise ValueError(f"wire type {wire}")
    return found


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def packed(number: int, value: bytes) -> bytes:
    """A field of bytes, a text or a message."""
    return _varint_of(number << 3 | 2) + _varint_of(len(value)) + value


def integer(number: int, value: int) -> bytes:
    """A field of an integer."""
    return _varint_of(number << 3) + _varint_of(value)


def field(number: int, value: Any) -> bytes:
    """A field in the form that `unpacked` gives."""
    return packed(number, value) if isinstance(value, bytes) else integer(number, value)


def _varint_of(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
