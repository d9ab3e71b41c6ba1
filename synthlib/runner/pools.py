"""Where jobs run: processes of this machine, or a dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any


def count_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ProcessSlots(Executor):
    """An executor of ``n_slots`` processes, each a pool of its own.

    In one pool, a process killed by the operating system takes the jobs of all others with it. Here it takes its own,
    and the next job of that slot gets a fresh process. The caller gives it at most ``n_slots`` jobs at a time.
    """

    def __init__(self, n_slots: int) -> None:
        self._n_threads = max(1, count_cores() // n_slots)
        self._slots: list[tuple[ProcessPoolExecutor, Future | None]] = [(self._start(), None) for _ in range(n_slots)]

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, mp_context=context, initializer=_enter, initargs=(self._n_threads,))

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future:
        """Start ``fn(*args, **kwargs)`` in a free process and return its future."""
        place = next(i for i, (_, future) in enumerate(self._slots) if future is None or future.done())
        pool = self._slots[place][0]
        try:
            future = pool.submit(fn, *args, **kwargs)
        except BrokenProcessPool:  # its process was killed, at work or idle
            pool = self._start()
            future = pool.submit(fn, *args, **kwargs)
        self._slots[place] = (pool, future)
        return future

    def kill(self) -> None:
        """End all processes at once, whatever they are doing; the kernels they started end with them."""
        for child in multiprocessing.active_children():
            child.kill()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes once they have done what they were given."""
        for pool, _ in self._slots:
            pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def _enter(n_threads: int) -> None:
    """Set up a process: its share of the cores; leave Ctrl-C to the runner; end when the runner ends."""
    os.environ.setdefault("OMP_NUM_THREADS", str(n_threads))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """Wait for the process that started this one, and end when it does."""
    multiprocessing.parent_process().join()
    os._exit(1)


def connect(address: str) -> Any:
    """Return a client of the dask scheduler at ``address``.

    Raises
    ------
    ValueError
        Nothing answers there, or no worker has joined it.
    """
    from distributed import Client

    try:
        client = Client(address, timeout="5s")
    except (OSError, ValueError) as error:
        raise ValueError(f"no dask scheduler at {address!r}: {error}") from None
    if not client.nthreads():
        client.close()
        raise ValueError(f"the dask scheduler at {address!r} has no workers yet; start some: dask worker {address}")
    return client


@contextmanager
def open_pool(n_jobs: int, client: Any | None) -> Iterator[tuple[Executor, int]]:
    """Hand out an executor and the number of jobs to give it at a time.

    At Ctrl-C the processes of this machine are ended with what they do; jobs that run on a cluster run to their end.

    Parameters
    ----------
    n_jobs : int
        Processes of this machine, where there is no cluster.
    client : distributed.Client, optional
        A cluster whose workers see this repository at the same path. They should have one thread each, because
        papermill changes the folder of its whole process; where workers have GPU tokens, every job takes one.
    """
    if client is not None:
        workers = client.scheduler_info()["workers"].values()
        tokens = {"resources": {"GPU": 1}} if any("GPU" in worker["resources"] for worker in workers) else {}
        with client:
            yield client.get_executor(pure=False, **tokens), sum(client.nthreads().values())
        return
    slots = ProcessSlots(n_jobs)
    try:
        yield slots, n_jobs
    except BaseException:
        slots.kill()
        raise
    slots.shutdown()
