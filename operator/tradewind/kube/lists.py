"""Lists and watch events, as far as they are parsed before their objects."""

import msgspec

from tradewind.kube.struct import Struct


class ListMetadata(Struct, frozen=True):
    """Where a list ends and a watch goes on."""

    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class HeadMetadata(Struct, frozen=True):
    """What tells an object from others, and from itself at another time."""

    uid: str = ""
    resource_version: str = ""


class Head(Struct, frozen=True):
    """What an object is."""

    kind: str = ""
    metadata: HeadMetadata = HeadMetadata()


class Event(Struct, frozen=True):
    """A watch event; the object is read in a second step, since its form depends on the type."""

    type: str
    object: msgspec.Raw
