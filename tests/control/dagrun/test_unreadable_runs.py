"""A run that can't be read says so in a condition, however often and whenever it is found."""

from typing import Any
from unittest import mock

import pytest
from tradewind.control.dagrun import unreadable
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.unreadable import Unreadable

META = {"name": "r", "namespace": "n", "uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"}
RUN = read_run({"metadata": META, "spec": {"dag": "d"}})


class Written:
    def __init__(self, while_writing: Any = None) -> None:
        self.words: list[str] = []
        self._while_writing = while_writing

    async def replace_status(self, _: Any, run: Run, status: Any) -> None:
        self.words.append(status["conditions"][-1]["message"])
        if self._while_writing:
            self._while_writing()
            self._while_writing = None


async def test_what_is_found_while_it_is_written_is_said_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Unreadable(mock.Mock(), lambda: 0.0)
    written = Written(lambda: found.add(RUN, "second"))
    monkeypatch.setattr(unreadable, "replace_status", written.replace_status)
    found.add(RUN, "first")
    await found.write(RUN.uid)
    await found.write(RUN.uid)
    await found.write(RUN.uid)
    assert written.words == ["first", "second"]
