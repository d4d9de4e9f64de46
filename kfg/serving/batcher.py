"""Batching for the server: photographs of several requests go through the model together, one batch at a time."""

import asyncio
import collections
from collections.abc import Callable, Sequence
from concurrent.futures import Executor


class Batcher:
    """Collects items while the model is busy, and then passes them on as one batch.

    Args:
        work: function (items) -> one result for each; it runs in `executor`.
        executor: an executor with one thread.
        most: the most items in a batch.
        told: function (number of items), called for each batch.
    """

    def __init__(self, work: Callable[[Sequence], Sequence], executor: Executor, *, most: int = 32, told=None):
        self._work, self._executor, self._most, self._told = work, executor, most, told
        self._waiting = collections.deque()
        self._busy = None

    async def __call__(self, item):
        """Return the result for one item; if the caller stops waiting, the item is not processed."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._busy is None:
            self._busy = asyncio.create_task(self._run())
        return await future

    async def _run(self):
        try:
            await asyncio.sleep(0)  # so that all items that are ready now get into the batch
            while batch := self._taken():
                await self._answer(batch)
        finally:
            self._busy = None

    def _taken(self) -> list:
        batch = []
        while self._waiting and len(batch) < self._most:
            item, future = self._waiting.popleft()
            if not future.done():
                batch.append((item, future))
        return batch

    async def _answer(self, batch):
        if self._told is not None:
            self._told(len(batch))
        items = [item for item, _ in batch]
        try:
            results = await asyncio.get_running_loop().run_in_executor(self._executor, self._work, items)
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
