"""The gate: concurrency that adapts, and limits per minute."""

import asyncio
import time

import pytest

from synthlib.asking.rate import GROW_AFTER, GROW_QUICKLY_AFTER, Gate, StoppedError


def test_a_burst_of_refusals_cuts_once_and_answers_grow_it_back():
    gate = Gate(64, requests_per_minute=None, tokens_per_minute=None)
    sent_at = time.monotonic()
    for _ in range(40):
        gate.refused(sent_at, 0.0)
    assert gate.limit == 48
    gate.refused(time.monotonic(), 0.0)
    assert gate.limit == 36
    for _ in range(GROW_AFTER * 100):
        gate.succeeded()
    assert gate.limit == 64
    for _ in range(100):
        gate.refused(time.monotonic(), 0.0)
    assert gate.limit == 1


def test_growth_is_quick_to_where_it_was_refused_and_slow_from_there():
    gate = Gate(200, requests_per_minute=None, tokens_per_minute=None)
    gate.limit = 100.0
    gate.refused(time.monotonic(), 0.0)
    assert gate.limit == 75
    for _ in range(GROW_QUICKLY_AFTER * 20):
        gate.succeeded()
    assert gate.limit == 95
    for _ in range(90):
        gate.succeeded()
    assert gate.limit == 95
    for _ in range(10):
        gate.succeeded()
    assert gate.limit == 96


def run(gate, n, *, n_tokens=1, seconds=0.01):
    """Send n calls of so many seconds; return when each went and how many were in flight at most."""
    times, peak, now = [], 0, 0

    async def call():
        nonlocal peak, now
        await gate.enter(n_tokens)
        times.append(time.monotonic())
        now += 1
        peak = max(peak, now)
        await asyncio.sleep(seconds)
        now -= 1
        gate.leave()

    async def calls():
        await asyncio.gather(*(call() for _ in range(n)))

    asyncio.run(calls())
    return times, peak


def test_no_more_calls_are_in_flight_than_allowed():
    assert run(Gate(5, requests_per_minute=None, tokens_per_minute=None), 40)[1] == 5
    gate = Gate(8, requests_per_minute=None, tokens_per_minute=None)
    gate.limit = 2.9
    assert run(gate, 12)[1] == 2


@pytest.mark.parametrize(("requests", "tokens"), [(3000, None), (None, 30_000), (6000, 30_000)])
def test_limits_per_minute_space_the_calls(requests, tokens):
    gate = Gate(64, requests_per_minute=requests, tokens_per_minute=tokens)
    times, _ = run(gate, 75, n_tokens=10)  # 50 calls per second, a second's worth at once
    assert 0.4 < times[-1] - times[0] < 4


def test_a_named_wait_holds_back_everyone():
    gate = Gate(4, requests_per_minute=None, tokens_per_minute=None)
    started = time.monotonic()
    gate.refused(started, 0.4)
    times, _ = run(gate, 4)
    assert min(times) - started >= 0.4


def test_stopping_wakes_those_that_wait():
    async def wait():
        gate = Gate(1, requests_per_minute=None, tokens_per_minute=None)
        await gate.enter(1)
        waiting = [asyncio.create_task(gate.enter(1)), asyncio.create_task(gate.sleep(60))]
        await asyncio.sleep(0.01)
        gate.stop()
        return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 1)

    assert [type(error) for error in asyncio.run(wait())] == [StoppedError, StoppedError]
