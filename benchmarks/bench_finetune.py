"""Fine-tuning against the Trainer of transformers: the same encoder, texts, epochs and batch size, side by side.

Tweets (tweet emotions) and long texts (IMDB): those that a language model wrote (data/corpora), or, with ``--texts``,
the real ones of a folder of parquet files (key, text, label, split), one a task. Trainer runs with its best flags
(bfloat16, batches of like length), with its defaults at the same batch size, and with its defaults as they are
(batches of 8, so eight times the steps); it needs accelerate: ``pip install -e ".[benchmark]"``.

    python benchmarks/bench_finetune.py                   # processor, all-MiniLM-L6-v2: minutes on two quiet cores
    python benchmarks/bench_finetune.py --levers          # ours alone, each lever switched off in turn
    python benchmarks/bench_finetune.py --device cuda     # graphics card, random weights in the shape of BERT-base

On a graphics card three rows are ours: steps sent from Python one kernel at a time, steps recorded and replayed (the
recording is in the time), and a further run of a grid, for which the steps are recorded already.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import os
import tempfile
import threading
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import psutil
import torch
from trainer import BEST, Texts, fit_trainer, wait
from transformers import BertConfig, BertModel, BertTokenizerFast

from synthlib.encode import Encoder, load_encoder
from synthlib.encoders import PACKAGED
from synthlib.finetune import FineTuner, Hyperparameters, tokenize_checked, tqdm
from synthlib.metrics import macro_f1
from synthlib.train import Run
from synthlib.training.checkpoint import Checkpoint

CORPORA = Path(__file__).resolve().parent.parent / "data" / "corpora"
TASKS = ("tweet_emotion", "imdb")


def main() -> None:
    """Print examples per second in training and prediction, ratios, and final Macro-F1 of each system."""
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        name = write_bert_base(Path(folder)) if options.device == "cuda" else PACKAGED
        hyperparameters = make_hyperparameters(name, options)
        encoder, ceiling = load_encoder(name, options.device), measure_ceiling(options.device)
        for task in options.tasks:
            texts = read_texts(task, options)
            if options.device == "cuda":
                check_replay(load_encoder(name, "cuda"), texts, hyperparameters)
            systems = list_levers() if options.levers else list_systems(options.device)
            measured: dict[str, list[tuple[float, ...]]] = {system: [] for system in systems}
            for repeat in range(-1, options.repeats):  # the first round only warms up
                for system, fit in systems.items():
                    result = measure(
                        fit, encoder, texts if repeat >= 0 else take_few(texts), hyperparameters, max(repeat, 0)
                    )
                    if repeat >= 0:
                        measured[system].append(result)
            report(task, measured, texts, hyperparameters, options)
            report_ceiling(ceiling, measured, encoder, texts, hyperparameters)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--texts", type=Path, help="folder of real texts, TASK.parquet (default: synthetic ones)")
    parser.add_argument("--levers", action="store_true", help="ours alone, each lever switched off in turn")
    parser.add_argument("--rows", type=int, help="training texts (cpu: 192, cuda: 2048)")
    parser.add_argument("--test-rows", type=int, default=192, help="test texts")
    parser.add_argument("--epochs", type=int, help="passes over the training texts (cpu: 1, cuda: 3)")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--max-length", type=int, default=256, help="tokens of a text that are read")
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--repeats", type=int, default=3, help="timings to take the median of")
    options = parser.parse_args()
    options.rows = options.rows or (2048 if options.device == "cuda" else 192)
    options.epochs = options.epochs or (3 if options.device == "cuda" else 1)
    return options


def read_texts(task: str, options: argparse.Namespace) -> Texts:
    """Return training and test texts of a task, mixed; synthetic ones of all settings where no folder is named."""
    if options.texts:
        rows = pd.read_parquet(options.texts / f"{task}.parquet")
        parts = [rows[rows["split"] == split].sample(frac=1, random_state=0) for split in ("train", "test")]
        train, test = parts[0][: options.rows], parts[1][: options.test_rows]
    else:
        rows = pd.read_json(CORPORA / f"{task}.jsonl", lines=True).sample(frac=1, random_state=0)
        train, test = rows[: options.rows], rows[-options.test_rows :]
    names = sorted(rows["label"].unique())
    labels = [part["label"].map(names.index).to_numpy() for part in (train, test)]
    return Texts(train["text"].tolist(), test["text"].tolist(), *labels, len(names))


def take_few(texts: Texts, n: int = 64) -> Texts:
    """Return the first texts alone, for a round that only warms up."""
    few = {"train": texts.train[:n], "train_labels": texts.train_labels[:n]}
    return replace(texts, test=texts.test[:n], test_labels=texts.test_labels[:n], **few)


def write_bert_base(folder: Path) -> str:
    """Write random weights in the shape of BERT-base, and a tokenizer of the corpus's words, into ``folder``."""
    lines = (CORPORA / f"{TASKS[0]}.jsonl").read_text(encoding="utf-8").splitlines()
    words = {word for line in lines for word in json.loads(line)["text"].lower().split()}
    letters = sorted({letter for word in words for letter in word})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), *sorted(words)]
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(vocabulary)), encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=512).save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(BertConfig()).save_pretrained(folder)  # 30,522 words, of which the tokenizer uses the first few thousand
    return str(folder)


def make_hyperparameters(name: str, options: argparse.Namespace) -> Hyperparameters:
    return Hyperparameters(
        encoder=name,
        pooling="mean",
        hidden_units=768,
        learning_rate=options.learning_rate,
        batch_size=options.batch_size,
        n_epochs=options.epochs,
        min_steps=0,
        warmup_share=0.1,
        max_grad_norm=1.0,
        max_length=options.max_length,
        weight_decay=0.01,
        device=options.device,
    )


def list_systems(device: str) -> dict[str, Callable]:
    """Return what trains and predicts, by name; ours first."""
    systems: dict[str, Callable] = {"synthlib": fit_ours}
    if device == "cuda":
        systems |= {
            "synthlib, further run": partial(fit_ours, again=True),
            "synthlib, sent steps": partial(fit_ours, replayed=False),
        }
    if not importlib.util.find_spec("accelerate"):
        print("accelerate is not installed: Trainer is left out\n")
        return systems
    return systems | {
        "Trainer, best flags": partial(fit_trainer, flags=BEST),
        "Trainer, defaults": partial(fit_trainer, flags={}),
        "Trainer, defaults, 8": partial(fit_trainer, flags={"per_device_train_batch_size": 8}),
    }


def list_levers() -> dict[str, Callable]:
    """Return ours with each lever of a processor switched off in turn."""
    do_nothing, here = (lambda *_, **__: None), "synthlib.finetune"
    fast = importlib.import_module(here).use_fast_dropout
    off = {
        "torch's dropout": (f"{here}.use_fast_dropout", do_nothing),
        "torch's attention": (f"{here}.use_fast_dropout", lambda encoder, **_: fast(encoder, in_attention=False)),
        "attention at once": ("synthlib.training.dropout.SCORES", 1 << 40),
        "widths of eights": (f"{here}.STEP", {"cpu": 8}),
        "unsorted batches": (f"{here}.draw_batches", draw_unsorted),
        "whole embedding": (f"{here}.use_rows", do_nothing),
    }
    switched = {name: partial(fit_without, target=target, instead=instead) for name, (target, instead) in off.items()}
    return {"synthlib": fit_ours, **switched, "float32": partial(fit_ours, precision="float32")}


def draw_unsorted(rows: np.ndarray, widths: np.ndarray, *, batch_size: int, rng: np.random.Generator) -> list:
    shuffled = rng.permutation(rows)
    return [shuffled[first : first + batch_size] for first in range(0, len(rows), batch_size)]


def fit_without(*arguments, target: str, instead: object) -> tuple[float, float, np.ndarray]:
    with patch(target, instead):
        return fit_ours(*arguments)


def fit_ours(
    encoder: Encoder, texts: Texts, hyperparameters: Hyperparameters, seed: int, *, again: bool = False, **changes
) -> tuple[float, float, np.ndarray]:
    """Return the seconds of training and of prediction, tokenising included, and the predicted labels."""
    kept, bar = Checkpoint(None, {}), tqdm(disable=True)
    run = Run(np.arange(len(texts.train)), seed)
    start = wait(hyperparameters.device)
    tuner = make_tuner(encoder, texts, replace(hyperparameters, **changes))
    if again:
        tuner.fit(run, number=0, kept=kept, bar=bar)
        start = wait(hyperparameters.device)
    tuner.fit(run, number=0, kept=kept, bar=bar)
    middle = wait(hyperparameters.device)
    predicted = tuner.predict(texts.test).argmax(-1)
    return middle - start, wait(hyperparameters.device) - middle, predicted


def make_tuner(encoder: Encoder, texts: Texts, hyperparameters: Hyperparameters) -> FineTuner:
    tokens = tokenize_checked(texts.train, encoder, hyperparameters)
    return FineTuner(encoder, tokens, np.eye(texts.n_labels, dtype=np.float32)[texts.train_labels], hyperparameters)


def check_replay(encoder: Encoder, texts: Texts, hyperparameters: Hyperparameters) -> None:
    """Print how far the losses of replayed steps are from those of sent ones, without dropout, in float32."""
    for module in encoder.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    run, losses = Run(np.arange(len(texts.train)), 0), []
    for replayed in (False, True):
        plain = replace(hyperparameters, precision="float32", n_epochs=2, replayed=replayed)
        history = make_tuner(encoder, texts, plain).fit(
            run, number=0, kept=Checkpoint(None, {}), bar=tqdm(disable=True)
        )
        losses.append(history["loss"].to_numpy())
    first, last, difference = losses[0][0], losses[0][-1], np.abs(losses[0] - losses[1]).max()
    print(f"replayed against sent steps, float32, no dropout: losses {first:.3f} to {last:.3f}, ", end="")
    print(f"largest difference {difference:.1e} in {len(losses[0])} steps\n")


def measure(
    fit: Callable, encoder: Encoder, texts: Texts, hyperparameters: Hyperparameters, seed: int
) -> tuple[float, ...]:
    """Return seconds of training and prediction, Macro-F1, and the most memory the system added (GiB)."""
    gc.collect()
    with watch_memory(hyperparameters.device) as peak:
        training, prediction, predicted = fit(encoder, texts, hyperparameters, seed)
    return training, prediction, macro_f1(texts.test_labels, predicted, n_labels=texts.n_labels), peak()


@contextmanager
def watch_memory(device: str):
    """Give a function that tells the most memory in use within, GiB: the card's, or what the process added."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        yield lambda: torch.cuda.max_memory_allocated() / 2**30
        return
    process, done = psutil.Process(), threading.Event()
    seen = [process.memory_info().rss]

    def look() -> None:
        while not done.wait(0.02):
            seen.append(process.memory_info().rss)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield lambda: (max(seen) - seen[0]) / 2**30
    finally:
        done.set()
        watcher.join()


def measure_ceiling(device: str) -> float:
    """Return the most bfloat16 operations a second that one product reaches here, 1e9."""
    n, seconds = (8192 if device == "cuda" else 2048), []
    a = torch.randn(n, n, device=device).bfloat16()
    for _ in range(12):
        start = wait(device)
        a @ a
        seconds.append(wait(device) - start)
    return 2 * n**3 / min(seconds) / 1e9


def report(
    task: str, measured: dict, texts: Texts, hyperparameters: Hyperparameters, options: argparse.Namespace
) -> None:
    device = torch.cuda.get_device_name() if options.device == "cuda" else f"{os.cpu_count()} cores"
    shape = "BERT-base, random weights" if options.device == "cuda" else hyperparameters.encoder
    print(f"{task}: {shape}; {device}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(
        f"{len(texts.train)} training texts, {hyperparameters.n_epochs} epoch(s), batch {hyperparameters.batch_size}; "
        f"{len(texts.test)} test texts; median of {options.repeats}, ratios against the first row\n"
    )
    print(f"{'':24}{'training/s':>12}{'ratio':>8}{'prediction/s':>14}{'ratio':>8}{'Macro-F1':>10}{'added GiB':>11}")
    ours = np.array(measured["synthlib"])
    for name, rows in measured.items():
        training, prediction, f1, peak = np.median(rows, axis=0)
        speeds = len(texts.train) * hyperparameters.n_epochs / training, len(texts.test) / prediction
        ratios = np.median(np.array(rows)[:, :2] / ours[:, :2], axis=0)  # of each round: the machine may be shared
        print(f"{name:24}{speeds[0]:12.1f}{ratios[0]:8.2f}{speeds[1]:14.1f}{ratios[1]:8.2f}{f1:10.3f}{peak:11.2f}")


def report_ceiling(
    ceiling: float, measured: dict, encoder: Encoder, texts: Texts, hyperparameters: Hyperparameters
) -> None:
    """Print which share of the ceiling our training reaches.

    Counted are the encoder's products with its weight matrices (2 operations a weight and token) and those of attention
    (2 of 2 W D operations a token and layer, in texts of W tokens), three times: forward and twice backward. Padding,
    the hidden layer on top and all that is no product count for nothing.
    """
    layers, lengths = encoder.model.encoder, tokenize_checked(texts.train, encoder, hyperparameters).lengths
    weights = sum(module.weight.numel() for module in layers.modules() if isinstance(module, torch.nn.Linear))
    attention = 4 * encoder.dim * encoder.model.config.num_hidden_layers * int((lengths**2).sum())
    operations = 3 * hyperparameters.n_epochs * (2 * weights * int(lengths.sum()) + attention)
    reached = operations / np.median(measured["synthlib"], axis=0)[0] / 1e9
    print(f"\n{lengths.mean():.1f} tokens per text; synthlib: {reached:.0f} of {ceiling:.0f} GFLOP/s, ", end="")
    print(
        f"{reached / ceiling:.0%}; attention is {attention / (2 * weights * lengths.sum() + attention):.0%} of them\n"
    )


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*texts reach max_length.*|.*pin_memory.*")
        main()
