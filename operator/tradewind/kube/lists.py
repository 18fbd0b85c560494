"""Lists and watch events, whose objects are parsed in a second step."""

import msgspec

from tradewind.kube.struct import Struct


class ListMetadata(Struct, frozen=True):
    """The position at which a list continues or a watch begins."""

    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class HeadMetadata(Struct, frozen=True):
    """The metadata that identify an object and its version."""

    uid: str = ""
    resource_version: str = ""


class Head(Struct, frozen=True):
    """The kind and identity of an object."""

    kind: str = ""
    metadata: HeadMetadata = HeadMetadata()


class Event(Struct, frozen=True):
    """A watch event. The object is parsed later, since its form depends on the type."""

    type: str
    object: msgspec.Raw
