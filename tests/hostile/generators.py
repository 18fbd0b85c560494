"""All generators, in the order of the report."""

from . import everyfield, objects, servers
from .registry import GENERATORS, inputs

__all__ = ["GENERATORS", "everyfield", "inputs", "objects", "servers"]
