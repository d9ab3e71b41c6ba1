"""A real OpenAI-compatible server, transformers serve, with a tiny model: asked by the real client."""

import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from test_llm import SETTINGS
from tiny_causal import write_tiny_causal
from transformers.utils.import_utils import is_accelerate_available, is_serve_available

from synthlib import paths
from synthlib.asking import live
from synthlib.asking.backends import Llm
from synthlib.asking.conversations import Brief
from synthlib.llm import CallError
from synthlib.tasks import load_task, load_wording

pytestmark = [
    pytest.mark.last,
    pytest.mark.skipif(
        not (is_serve_available() and is_accelerate_available()),
        reason="transformers serve needs accelerate, fastapi and uvicorn: the test extra",
    ),
]
BRIEF = Brief(load_task("sms_spam"), load_wording(), {}, 1)
SERVE = "import sys; from transformers.cli.transformers import main; sys.argv[0] = 'transformers'; main()"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Yield the address of a server, and the name of its model."""
    folder = tmp_path_factory.mktemp("served")
    model = write_tiny_causal(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", SERVE, "serve", model, "--host", "127.0.0.1", "--port", str(port)]
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    log = folder / "server.log"
    with (
        log.open("w") as said,
        subprocess.Popen([*command, "--device", "cpu"], env=offline, stdout=said, stderr=said) as server,
    ):
        try:
            wait_for(f"http://127.0.0.1:{port}/health", server, log)
            yield f"http://127.0.0.1:{port}/v1", model
        finally:
            server.kill()


def wait_for(address, server, log):
    for _ in range(600):
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(address)


def test_a_real_server_is_asked_once_and_replayed(served, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CALLS", tmp_path)
    monkeypatch.setattr(live, "MOST_MISSING", 1.0)  # a random model seldom ends by itself
    url, model = served
    changes = {"base_url": url, "model": model, "max_tokens": 8, "timeout_seconds": 60.0, "concurrency": 2}
    settings = Llm(**SETTINGS | changes | {"asks_per_text": 1})
    _, ledger = live.ask(BRIEF, settings, settings=["zero_shot"], n_per_label=2)
    assert ledger["new"].sum() == 4 and ledger["prompt_tokens"].sum() > 400
    assert ledger["answer_tokens"].sum() <= 4 * 8 and ledger["cut_off"].sum() + ledger["texts"].sum() >= 3
    _, again = live.ask(BRIEF, settings, settings=["zero_shot"], n_per_label=2)
    assert again["new"].sum() == 0 and again["answer_tokens"].sum() == ledger["answer_tokens"].sum()
    other = Llm(**SETTINGS | changes | {"model": "nobody/has-this", "store": "other"})
    with pytest.raises(CallError, match="nobody/has-this"):
        live.ask(BRIEF, other, settings=["zero_shot"], n_per_label=2)
