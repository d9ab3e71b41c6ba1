"""How many calls may be in flight, and when the next may go: bounded, adaptive, within limits per minute."""

from __future__ import annotations

import asyncio
import math
import time

SHRINK = 0.75  # of the calls in flight, at a burst of "too many requests"
GROW_AFTER = 25  # answers in a row for one more
LONGEST_NAP = 0.25  # seconds between looks at whether to stop
BURST = 1.0  # seconds of a limit per minute that may be caught up with


class StoppedError(Exception):
    """Nothing more is to be sent."""


class Gate:
    """Lets calls through.

    Additive increase, multiplicative decrease: a burst of refusals ("too many requests") cuts the calls in flight to
    three quarters, once; every 25 answers in a row allow one more, up to ``concurrency``.

    Parameters
    ----------
    concurrency : int
        Most calls in flight.
    requests_per_minute, tokens_per_minute : int or None
        Calls are spaced so that neither is passed.

    Attributes
    ----------
    limit : float
        Calls in flight that are allowed now, at least 1.
    stopped : bool
        Set it, and every waiting call raises :class:`StoppedError`.

    References
    ----------
    Chiu & Jain (1989), Analysis of the increase and decrease algorithms for congestion avoidance.
    """

    def __init__(self, concurrency: int, *, requests_per_minute: int | None, tokens_per_minute: int | None) -> None:
        self.concurrency, self.limit = concurrency, float(concurrency)
        self.requests_per_minute = requests_per_minute or math.inf
        self.tokens_per_minute = tokens_per_minute or math.inf
        self.stopped = False
        self._in_flight, self._in_a_row = 0, 0
        self._next = self._paused_until = self._last_cut = 0.0
        self._freed = asyncio.Condition()

    async def enter(self, n_tokens: int) -> None:
        """Wait until a call of so many tokens may go.

        Raises
        ------
        StoppedError
            ``stopped`` was set.
        """
        async with self._freed:
            while self._in_flight >= max(1, int(self.limit)) and not self.stopped:
                await self._freed.wait()
            self._in_flight += 1
        try:
            await self._keep_pace(n_tokens)
        except BaseException:
            await self.leave()
            raise

    async def leave(self) -> None:
        """Say that a call that entered is over."""
        async with self._freed:
            self._in_flight -= 1
            self._freed.notify_all()

    def succeeded(self) -> None:
        """Count an answer."""
        self._in_a_row += 1
        if self._in_a_row >= GROW_AFTER:
            self._in_a_row, self.limit = 0, min(self.concurrency, self.limit + 1)

    def refused(self, sent_at: float, retry_after: float) -> None:
        """Slow down after "too many requests".

        Parameters
        ----------
        sent_at : float
            When the refused call was sent (``time.monotonic``): calls sent before the last cut belong to its burst.
        retry_after : float
            Seconds in which nothing shall be sent; 0 where the server named none.
        """
        self._in_a_row = 0
        self._paused_until = max(self._paused_until, time.monotonic() + retry_after)
        if sent_at >= self._last_cut:
            self._last_cut, self.limit = time.monotonic(), max(1.0, self.limit * SHRINK)

    async def sleep(self, seconds: float) -> None:
        """Sleep; wake early with StoppedError if ``stopped`` is set."""
        end = time.monotonic() + seconds
        while not self.stopped and (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, LONGEST_NAP))
        if self.stopped:
            raise StoppedError

    async def stop(self) -> None:
        """Let nothing more through; calls in flight are not touched."""
        async with self._freed:
            self.stopped = True
            self._freed.notify_all()

    async def _keep_pace(self, n_tokens: int) -> None:
        spacing = 60 * max(1 / self.requests_per_minute, n_tokens / self.tokens_per_minute)  # seconds
        turn = max(self._next, time.monotonic() - BURST)
        self._next = turn + spacing
        await self.sleep(turn - time.monotonic())
        while (left := self._paused_until - time.monotonic()) > 0:
            await self.sleep(left)
