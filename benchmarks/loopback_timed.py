"""A stand-in for a language model's server, in a process of its own: every answer takes the same time.

``python loopback_timed.py SECONDS LIMIT`` prints its port. LIMIT is calls per second (0: none), let through by a bucket
that holds one second's worth; beyond it the server refuses with 429 and says how long to wait.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "A text. " * 12}}],
    "usage": {"prompt_tokens": 110, "completion_tokens": 36, "total_tokens": 146},
}
BODY = json.dumps(ANSWER).encode()


class Bucket:
    """Tokens that flow in at so many a second."""

    def __init__(self, per_second: float) -> None:
        self.per_second, self.level, self.seen = per_second, 1.0, time.monotonic()

    def take(self) -> float:
        """Take one and return 0, or return the seconds until there is one."""
        now = time.monotonic()
        self.level = min(self.per_second, self.level + (now - self.seen) * self.per_second)
        self.seen = now
        if self.level < 1:
            return (1 - self.level) / self.per_second
        self.level -= 1
        return 0.0


async def serve(seconds: float, limit: float) -> None:
    bucket = Bucket(limit) if limit else None

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(size)
                if bucket and (left := bucket.take()):
                    wait = b"retry-after-ms: %d\r\n" % (1000 * left + 1)
                    writer.write(b"HTTP/1.1 429 Too Many Requests\r\n" + wait + b"Content-Length: 2\r\n\r\n{}")
                    continue
                await asyncio.sleep(seconds)
                sizes = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
                writer.write(b"HTTP/1.1 200 OK\r\n" + sizes + BODY)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), float(sys.argv[2])))
