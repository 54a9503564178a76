"""Where blocking work runs: one thread for the ledger, a few for files, a few for long work.

The lanes are apart so that a slow `docker save` never holds up the ledger, and so that the
ledger's single writer is a fact of the structure.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Lanes:
    """Owns the threads; `close` waits for what is running."""

    def __init__(self) -> None:
        self._ledger = ThreadPoolExecutor(1, "ledger")
        self._files = ThreadPoolExecutor(4, "files")
        self._long = ThreadPoolExecutor(8, "long")

    async def ledger(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run on the ledger's thread."""
        return await _run(self._ledger, call, *args, **kwargs)

    async def files(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Short work on files: milliseconds."""
        return await _run(self._files, call, *args, **kwargs)

    async def long(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Work that may take seconds or minutes."""
        return await _run(self._long, call, *args, **kwargs)

    def close(self) -> None:
        """Finish what has begun, drop what has not, end the threads."""
        for pool in (self._long, self._files, self._ledger):
            pool.shutdown(wait=True, cancel_futures=True)


async def _run(
    pool: ThreadPoolExecutor, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    def bound() -> T:
        return call(*args, **kwargs)

    return await asyncio.get_running_loop().run_in_executor(pool, bound)
