"""Coroutines that run concurrently and end together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any


@contextlib.asynccontextmanager
async def tasks(coroutines: list[Coroutine[Any, Any, None]]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Runs the coroutines as tasks while the context is open, then cancels them."""
    running = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        yield running
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def wait_for_first(*coroutines: Any) -> None:
    """Waits until one of the coroutines ends, then cancels the others."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
