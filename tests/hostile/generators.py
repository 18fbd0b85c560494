"""All generators, in the order in which they are told of."""

from . import everyfield, objects, servers
from .registry import GENERATORS, inputs

__all__ = ["GENERATORS", "everyfield", "inputs", "objects", "servers"]
