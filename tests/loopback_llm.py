"""A stand-in for a language model's server on this machine: it goes wrong in every way asked for, and keeps count."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from loopback_batches import Batches

STATUS = {"400": 400, "401": 401, "404": 404, "408": 408, "429": 429, "429 wait": 429, "500": 500, "503": 503}
WORDS = "morning river train garden letter window music winter coffee silence laughter street dinner photo".split()


@dataclass
class Ledger:
    """The server's own count: the witness of what was paid.

    ``requests`` are all bodies in order of arrival, ``times`` when they came; ``paid`` counts the answers written for
    each list of messages (as JSON), whether or not they came through, ``paid_in_batches`` those of batches for the id
    of each line; ``most_in_flight`` is the peak of requests.
    """

    requests: list[dict] = field(default_factory=list)
    paid: Counter = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    paid_in_batches: Counter = field(default_factory=Counter)
    files: dict[str, list[str]] = field(default_factory=dict)
    deleted: dict[str, list[str]] = field(default_factory=dict)
    batches: dict[str, dict] = field(default_factory=dict)
    in_flight: int = 0
    most_in_flight: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def name_file(self) -> str:
        """Return a name that no file has had."""
        return f"file-{len(self.files) + len(self.deleted) + 1}"


def write_answer(body: dict, number: int, fault: str) -> dict:
    """Return a completion with a text of its own for every number."""
    text = f"Text {number} " + " ".join(WORDS[(number * k + k) % len(WORDS)] for k in range(1, 9))
    message = {"role": "assistant", "content": text, "refusal": None}
    finish = "stop"
    if fault == "refusal":
        message |= {"content": None, "refusal": "I will not."}
    if fault in ("blank", "filter"):
        message["content"], finish = "  ", "content_filter" if fault == "filter" else "stop"
    if fault.startswith("says "):
        message["content"] = fault[5:]
    if fault == "cut off":
        finish = "length"
    tokens = sum(len(m["content"].split()) for m in body["messages"])
    usage = {"prompt_tokens": tokens, "completion_tokens": 10, "total_tokens": tokens + 10}
    if fault == "odd fields":
        finish, usage = ["stop"], {"prompt_tokens": str(tokens), "completion_tokens": [10]}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    answer = {"id": f"c{number}", "object": "chat.completion", "created": 1, "model": body["model"] + "-served"}
    answer["choices"] = [] if fault == "no choice" else [choice]
    return answer if fault == "no usage" else answer | {"usage": usage}


class Handler(BaseHTTPRequestHandler):
    """Answers one request after the other of a connection; the server holds ``ledger``, ``fault`` and ``seconds``."""

    protocol_version = "HTTP/1.1"

    @property
    def batches(self):
        return Batches(self)

    def do_GET(self):
        self.batches.get()

    def do_DELETE(self):
        self.batches.delete()

    def do_POST(self):
        if not self.path.endswith("/chat/completions"):
            return self.batches.post()
        ledger = self.server.ledger
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with ledger.lock:
            ledger.requests.append(body)
            ledger.times.append(time.monotonic())
            number = len(ledger.requests)
            ledger.in_flight += 1
            ledger.most_in_flight = max(ledger.most_in_flight, ledger.in_flight)
        try:
            self.answer(body, number, self.server.fault(number, body))
        except (BrokenPipeError, ConnectionResetError):  # the client was killed
            self.close_connection = True
        finally:
            with ledger.lock:
                ledger.in_flight -= 1

    def answer(self, body, number, wrong):
        if wrong in STATUS or wrong == "key in error":
            said = self.headers["Authorization"] if wrong == "key in error" else f"fault {wrong}"
            return self.send(STATUS.get(wrong, 401), {"error": {"message": said, "code": None}}, wrong)
        time.sleep(3.0 if wrong == "slow" else self.server.seconds)
        with self.server.ledger.lock:
            self.server.ledger.paid[json.dumps(body["messages"], sort_keys=True)] += 1
        if wrong == "dropped":
            self.close_connection = True
            return self.connection.close()
        completion = write_answer(body, number, wrong)
        if self.server.say is not None and not wrong:
            completion["choices"][0]["message"]["content"] = self.server.say(body, number)
        if wrong == "key in answer":
            completion["choices"][0]["message"]["content"] = f"You are {self.headers['Authorization']}"
        return self.send(200, completion, wrong)

    def send_text(self, text):
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def send(self, status, content, wrong):
        data = b"<html>upstream error</html>" if wrong == "no json" else json.dumps(content).encode()
        length = len(data)
        if wrong in ("truncated", "half json"):
            data = data[: length // 2]
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length if wrong == "truncated" else len(data)))
        if wrong == "429 wait":
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(data)
        self.close_connection |= wrong == "truncated"

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


@contextmanager
def serve_llm(
    fault: Callable[[int, dict], str] = lambda number, body: "",
    *,
    seconds: float = 0.0,
    say: Callable[[dict, int], str] | None = None,
    batch_fault: Callable[[int], str] = lambda number: "",
    late: Callable[[], float] = lambda: 0.0,
    keeps_files: bool = False,
) -> Iterator[tuple[str, Ledger]]:
    """Yield address and ledger of a server whose request ``number`` (from 1) meets ``fault(number, body)``.

    Faults: a status of STATUS, slow, truncated, half json, no json, dropped, refusal, filter, blank, cut off,
    no choice, no usage, odd fields (types that no server should send), "says " and a text, key in answer, key in error;
    "" is none. ``seconds`` is how long an answer or a batch takes; ``say`` writes the text of a sound answer from the
    request and its number. Faults of a batch, by its number, ``late`` and ``keeps_files`` (none can be deleted): see
    :mod:`loopback_batches`; its lines meet ``fault`` as online calls do.
    """
    server = Server(("127.0.0.1", 0), Handler)
    server.ledger, server.fault, server.seconds, server.say = Ledger(), fault, seconds, say
    server.batch_fault, server.late, server.keeps_files = batch_fault, late, keeps_files
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", server.ledger
    finally:
        server.shutdown()
        server.server_close()
