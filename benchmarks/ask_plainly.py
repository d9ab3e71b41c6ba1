"""What people write by hand: an asyncio loop over the openai client that keeps nothing, in a process of its own.

``python ask_plainly.py PORT CONCURRENCY CALLS`` prints seconds and processor seconds as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import openai


async def ask(client: openai.AsyncOpenAI, concurrency: int, n_calls: int) -> None:
    waiting = iter(range(n_calls))

    async def work() -> None:
        for i in waiting:
            messages = [{"role": "user", "content": f"Question {i}. " + "word " * 80}]
            while True:
                try:
                    await client.chat.completions.create(model="m", messages=messages, temperature=1.0, max_tokens=50)
                    break
                except openai.RateLimitError as error:
                    await asyncio.sleep(float(error.response.headers["retry-after-ms"]) / 1000)

    await asyncio.gather(*(work() for _ in range(concurrency)))


async def main(port: int, concurrency: int, n_calls: int) -> None:
    client = openai.AsyncOpenAI(api_key="none", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0)
    await ask(client, concurrency, concurrency)  # connections
    started, processor = time.perf_counter(), time.process_time()
    await ask(client, concurrency, n_calls)
    print(json.dumps([time.perf_counter() - started, time.process_time() - processor]))


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:4])))
