"""Requests that are sent again while, or soon after, the first one is being carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Request
from starlette.concurrency import run_in_threadpool

Answer = TypeVar("Answer")

_RESEND_S = 600.0
"""How long a client that gave up may come back for what it asked for."""


class Pending:
    """Work whose answer has not reached the client, by what was asked.

    Some work can take longer than a client waits for an answer, without an idempotency key in the
    request; so a request equal to one that is under way, or whose client had gone when it was
    finished, gets that one's answer. A request after a delivered answer is a new one.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Any]] = {}

    async def run(self, key: str, work: Callable[[], Answer], request: Request) -> Answer:
        """Do the work in a thread, or wait for the equal work under way.

        Parameters
        ----------
        key
            Tells what is asked: equal for equal requests.
        work
            Does it.
        request
            The one that is waiting.
        """
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(run_in_threadpool(work))
        try:
            answer: Answer = await asyncio.shield(self._tasks[key])
        except BaseException:
            self._tasks.pop(key, None)
            raise
        if await request.is_disconnected():
            asyncio.get_running_loop().call_later(_RESEND_S, self._tasks.pop, key, None)
        else:
            self._tasks.pop(key, None)
        return answer
