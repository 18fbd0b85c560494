"""One request answers many callers, and none gets an answer that is older than what it asks about."""

import asyncio

from tradewind.control.shared.coalesced_reads import FRESH, CoalescingReader
from tradewind.kube.client import Object
from tradewind.kube.resources import DAGS, Resource


class Counted:
    """Answers with the number of the request."""

    def __init__(self) -> None:
        self.sent = 0

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        self.sent += 1
        number = self.sent
        await asyncio.sleep(0.01)
        return {"number": number}


def now() -> float:
    return asyncio.get_running_loop().time()


async def read(reader: CoalescingReader, since: float | None) -> int:
    return int((await reader.get(DAGS, "n", "d", since))["number"])


async def test_callers_that_ask_at_once_share_requests() -> None:
    reader = CoalescingReader(client := Counted())  # type: ignore[arg-type]
    await asyncio.gather(*(read(reader, None) for _ in range(10)))
    assert client.sent == 1


async def test_an_answer_serves_those_who_waited_since_before_its_request() -> None:
    reader, began = CoalescingReader(Counted()), now()  # type: ignore[arg-type]
    assert await read(reader, began) == 1
    assert await read(reader, began) == 1, "it was sent after the caller had begun to wait"
    assert await read(reader, now()) == 2, "the caller came after it was sent"
    assert await read(reader, None) == 3


async def test_a_change_outdates_answers_also_of_a_request_in_flight() -> None:
    reader, began = CoalescingReader(Counted()), now()  # type: ignore[arg-type]
    assert await read(reader, began) == 1
    reader.changed(DAGS, "n", "d")
    assert await read(reader, began) == 2
    flying = asyncio.create_task(read(reader, None))
    await asyncio.sleep(0.001)
    reader.changed(DAGS, "n", "d")
    assert await flying == 3
    assert await read(reader, began) == 4
    assert await read(reader, began) == 4


async def test_an_answer_serves_for_a_second() -> None:
    reader, began = CoalescingReader(Counted()), now()  # type: ignore[arg-type]
    assert await read(reader, began) == 1
    reader._answers = {key: (sent - FRESH, answer) for key, (sent, answer) in reader._answers.items()}
    assert await read(reader, began) == 2
