"""How many calls may be in flight, and when the next may go: bounded, adaptive, within limits per minute."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque

SHRINK = 0.75  # of the calls in flight, at a burst of "too many requests"
NEAR = 0.95  # of what was refused: up to here growth is quick, beyond it is a probe
GROW_QUICKLY_AFTER = 2  # answers for one call more
GROW_AFTER = 25
BURST = 1.0  # seconds of a limit per minute that may be caught up with


class StoppedError(Exception):
    """Nothing more is to be sent."""


class Gate:
    """Lets calls through, in the order in which they come.

    A burst of refusals ("too many requests") cuts the calls in flight to three quarters, once. Answers let them grow
    again, up to ``concurrency``: quickly to nearly where they were refused, one for every second answer; from there by
    probes, one for as many answers as there are calls in flight, 25 at least.

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
        Whether :meth:`stop` was called.

    References
    ----------
    Chiu & Jain (1989), Analysis of the increase and decrease algorithms for congestion avoidance. Ha, Rhee & Xu (2008),
    CUBIC, section 3 (quick return to where the last loss was, then probing).
    """

    def __init__(self, concurrency: int, *, requests_per_minute: int | None, tokens_per_minute: int | None) -> None:
        self.concurrency, self.limit = concurrency, float(concurrency)
        self.requests_per_minute = requests_per_minute or math.inf
        self.tokens_per_minute = tokens_per_minute or math.inf
        self._stop = asyncio.Event()
        self._waiting: deque[tuple[asyncio.Future, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._in_flight, self._in_a_row = 0, 0
        self._next = self._paused_until = self._last_cut = 0.0
        self._refused_at = math.inf  # calls in flight when it was last too many

    @property
    def stopped(self) -> bool:
        """Whether nothing more is to be sent."""
        return self._stop.is_set()

    async def enter(self, n_tokens: int) -> None:
        """Wait until a call of so many tokens may go.

        Raises
        ------
        StoppedError
            :meth:`stop` was called.
        """
        if self.stopped:
            raise StoppedError
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, n_tokens))
        self._let_through()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Say that a call that entered is over."""
        self._in_flight -= 1
        self._let_through()

    def succeeded(self) -> None:
        """Count an answer."""
        self._in_a_row += 1
        quick = self.limit < NEAR * self._refused_at
        if self._in_a_row >= (GROW_QUICKLY_AFTER if quick else max(GROW_AFTER, self.limit)):
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
            self._refused_at = self.limit
            self._last_cut, self.limit = time.monotonic(), max(1.0, self.limit * SHRINK)

    async def sleep(self, seconds: float) -> None:
        """Sleep; wake early with StoppedError if stopped."""
        try:
            await asyncio.wait_for(self._stop.wait(), max(0.0, seconds))
        except TimeoutError:
            return
        raise StoppedError

    def stop(self) -> None:
        """Let nothing more through; calls in flight are not touched."""
        self._stop.set()
        while self._waiting:
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(StoppedError())

    def _let_through(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting and self._in_flight < max(1, int(self.limit)):
            turn, n_tokens = self._waiting[0]
            if turn.done():  # its task was cancelled
                self._waiting.popleft()
                continue
            now = time.monotonic()
            start = max(self._next, now - BURST)
            if (left := max(start, self._paused_until) - now) > 0:
                self._timer = turn.get_loop().call_later(left, self._let_through)
                return
            self._next = start + 60 * max(1 / self.requests_per_minute, n_tokens / self.tokens_per_minute)
            self._waiting.popleft()
            self._in_flight += 1
            turn.set_result(None)
