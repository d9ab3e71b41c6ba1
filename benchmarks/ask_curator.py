"""The same calls through bespokelabs-curator, in the Python that has it: ``ask_curator.py PORT CONCURRENCY CALLS``.

Its start-up is left out by a first run of as many calls as run side by side; its cache is off.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time

os.environ |= {"TELEMETRY_ENABLED": "0", "CURATOR_VIEWER": "0", "CURATOR_DISABLE_CACHE": "1", "OPENAI_API_KEY": "none"}
os.environ |= {
    "CURATOR_CACHE_DIR": tempfile.mkdtemp(),
    "HF_HUB_OFFLINE": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "CURATOR_DISABLE_RICH_DISPLAY": "1",
}


def main(port: int, concurrency: int, n_calls: int) -> None:
    import tiktoken

    # its own tokenizer is fetched from the network; bytes stand in for it, to the same end: counting tokens
    ranks = {bytes([i]): i for i in range(256)}
    tiktoken.get_encoding = lambda name: tiktoken.Encoding(
        name, pat_str=r"\S+|\s+", mergeable_ranks=ranks, special_tokens={}
    )
    from bespokelabs import curator

    limits = {"max_requests_per_minute": 10_000_000, "max_tokens_per_minute": 10_000_000_000, "max_retries": 10}
    limits |= {"max_concurrent_requests": concurrency, "base_url": f"http://127.0.0.1:{port}/v1"}
    llm = curator.LLM(
        model_name="gpt-4o-mini",
        backend="openai",
        backend_params=limits,
        generation_params={"temperature": 1.0, "max_tokens": 50},
    )
    llm([f"Warm {i}" for i in range(concurrency)])
    questions = [f"Question {i}. " + "word " * 80 for i in range(n_calls)]
    started, processor = time.perf_counter(), time.process_time()
    found = llm(questions)
    seconds, spent = time.perf_counter() - started, time.process_time() - processor
    n_found = len(found.dataset if hasattr(found, "dataset") else found)
    if n_found != n_calls:
        raise SystemExit(f"{n_found} answers to {n_calls} questions")
    print("\n" + json.dumps([seconds, spent]))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
