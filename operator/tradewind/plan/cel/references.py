"""Corrects reference counts that the engine's Python binding gets wrong: otherwise expressions crash the process or
fill its memory.

`cel_expr_python` 0.1.3 keeps a reference to the arguments and to the result of each call of a Python function, forever.
And it returns `None` without counting the reference: up to Python 3.11, where `None` is counted like any other object,
some thousand nulls in results crash the process. Both were measured; references that a version does not keep are not
released."""

import ctypes
import sys
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

_MANY = 1 << (8 * ctypes.sizeof(ctypes.c_void_p) - 4)
"""References to `None` that are never used up: as many as Python 3.12 counts for immortal objects."""
_WITH_TUPLE = 1
"""METH_VARARGS: the function gets the tuple of its arguments, not its elements."""
_release = ctypes.pythonapi.Py_DecRef
_release.argtypes, _release.restype = [ctypes.py_object], None


class _Definition(ctypes.Structure):
    """A PyMethodDef."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("call", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


_definition = _Definition(b"call", ctypes.cast(ctypes.pythonapi.PyObject_CallOneArg, ctypes.c_void_p), _WITH_TUPLE)
_built_in = ctypes.pythonapi.PyCFunction_NewEx
_built_in.argtypes, _built_in.restype = (
    [ctypes.POINTER(_Definition), ctypes.py_object, ctypes.c_void_p],
    ctypes.py_object,
)


class _Calls(threading.local):
    """The function calls of the evaluation in the current thread."""

    def __init__(self) -> None:
        self.arguments: list[tuple[Any, ...]] = []
        self.results: list[Any] = []


_calls = _Calls()


def immortalize_none() -> None:
    """Makes `None` immortal where Python does not."""
    if sys.version_info < (3, 12) and sys.getrefcount(None) < _MANY // 2:
        ctypes.c_ssize_t.from_address(id(None)).value += _MANY


def overload(name: str, parameters: list[Any], gives: Any, impl: Callable[..., Any], *, member: bool = False) -> Any:
    """An overload of a function for the engine, whose calls `evaluate` records."""
    return cel.Overload(id=name, return_type=gives, parameters=parameters, is_member=member, impl=_known(impl))


def _known(impl: Callable[..., Any]) -> Any:
    def call(arguments: tuple[Any, ...]) -> Any:
        _calls.arguments.append(arguments)
        found = impl(*arguments)
        _calls.results.append(found)
        return found

    return _built_in(ctypes.byref(_definition), call, None)


def evaluate(engine: Any, given: Any) -> Any:
    """The engine's result for an expression. Releases the references that its function calls have left."""
    try:
        return engine.eval(data=given)
    finally:
        if _calls.arguments:
            _forget(*_kept())


def _forget(arguments: int, results: int) -> None:
    for kept, times in ((_calls.arguments, arguments), (_calls.results, results)):
        for each in kept:
            for _ in range(times):
                _release(each)
        kept.clear()


@lru_cache(maxsize=1)
def _kept() -> tuple[int, int]:
    """The number of references to the arguments and to the result that a call leaves."""
    before, _calls.arguments, _calls.results = (_calls.arguments, _calls.results), [], []
    text = cel.Type.STRING
    probe = cel.FunctionDecl("probe", [overload("probe", [text], text, lambda value: f"{value} was read")])
    value = cel.NewEnv(functions=[probe]).compile("probe('a text')").eval(data={})
    value.plain_value()
    mine = sys.getrefcount(object())  # references of the caller's own and of the call
    found = sys.getrefcount(_calls.arguments[0]) - mine - 1, sys.getrefcount(_calls.results[0]) - mine - 1
    _forget(*found)
    _calls.arguments, _calls.results = before
    return found


immortalize_none()
