"""Writes to a store of calls from a thread of its own, many in one transaction, and keeps room on the disk for them."""

from __future__ import annotations

import asyncio
import os
import queue
from collections.abc import Callable
from threading import Thread
from typing import Any

from synthlib.asking.store import Store

_Job = tuple[Callable[..., Any], tuple, dict, asyncio.Future]


class Writer:
    """What is asked for while one transaction is written goes into the next; a job is on disk when it is done.

    Where the disk is full, the room that was kept is given up: what has been paid is still written, but nothing more
    can be reserved. A job that fails for another reason fails alone.

    Parameters
    ----------
    store : Store
        Only this writer writes to it.
    spare_bytes : int
        How much of the disk to keep for the answers in flight.

    Raises
    ------
    OSError
        There is not so much room on the disk.
    """

    def __init__(self, store: Store, *, spare_bytes: int) -> None:
        self._store, self._full = store, None
        self._spare = store.path.with_suffix(f".{store.owner}.spare")
        try:
            self._spare.write_bytes(bytes(spare_bytes))
        except OSError as error:
            self._spare.unlink(missing_ok=True)
            raise OSError(
                f"the disk of {store.path} has no room for {spare_bytes:,} bytes of answers ({error.strerror}): make "
                "room before anything is asked and paid"
            ) from None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    async def do(self, job: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Return what a method of the store returns, once it is on disk; what it raises is raised here.

        A task that is cancelled meanwhile does not undo it.
        """
        future = asyncio.get_running_loop().create_future()
        self._jobs.put((job, arguments, options, future))
        return await asyncio.shield(future)

    def close(self) -> None:
        """Write what is left, and give the room back."""
        self._jobs.put(None)
        self._thread.join()
        self._spare.unlink(missing_ok=True)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            jobs = [job]
            while not self._jobs.empty() and (job := self._jobs.get()) is not None:
                jobs.append(job)
            self._tell(jobs, self._write(jobs))
            if job is None:
                return

    def _write(self, jobs: list[_Job]) -> list[Any]:
        try:
            return self._write_together(jobs)
        except OSError as error:  # no room: only what has been paid is written
            if self._full:
                return [error] * len(jobs)
            self._full = error
            self._spare.unlink(missing_ok=True)
            return self._write(jobs)
        except Exception as error:  # a job that cannot be done: each of the others is, for itself
            return [error] if len(jobs) == 1 else [result for job in jobs for result in self._write([job])]

    def _write_together(self, jobs: list[_Job]) -> list[Any]:
        with self._store.transaction():
            return [
                self._full if self._full and job == self._store.reserve else job(*arguments, **options)
                for job, arguments, options, _ in jobs
            ]

    def _tell(self, jobs: list[_Job], results: list[Any]) -> None:
        def settle() -> None:
            for (*_, future), result in zip(jobs, results, strict=True):
                if future.cancelled():
                    continue
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)

        jobs[0][-1].get_loop().call_soon_threadsafe(settle)


def spare_bytes(n_answers: int, *, max_tokens: int) -> int:
    """Return how much room so many answers may take, twice in a log and in a file: text, and text as JSON."""
    page = os.sysconf("SC_PAGE_SIZE")
    return n_answers * (4 * page + 16 * max_tokens) + 256 * page
