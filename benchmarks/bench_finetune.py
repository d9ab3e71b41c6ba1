"""Fine-tuning against the Trainer of transformers: the same encoder, texts, epochs and batch size, side by side.

Tweet-length texts written by a language model (data/corpora). Trainer runs with its defaults and with its best flags
(bfloat16, batches of like length); it needs the package accelerate, and is left out without.

    python benchmarks/bench_finetune.py                   # processor, all-MiniLM-L6-v2
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
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast, PrinterCallback, Trainer, TrainingArguments
from transformers.trainer_utils import set_seed

from synthlib.checkpoint import Checkpoint
from synthlib.classifier import Classifier
from synthlib.encode import PACKAGED, Encoder, load_encoder
from synthlib.finetune import FineTuner, Settings, tokenize_checked, tqdm
from synthlib.metrics import macro_f1
from synthlib.train import Run

CORPORA = Path(__file__).resolve().parent.parent / "data" / "corpora"
TASK = "tweet_emotion"
MAX_LENGTH = 128


@dataclass(frozen=True)
class Texts:
    """Training and test texts with their labels (0 to ``n_labels`` - 1)."""

    train: list[str]
    test: list[str]
    train_labels: np.ndarray
    test_labels: np.ndarray
    n_labels: int


def main() -> None:
    """Print examples a second in training and prediction, ratios, and final Macro-F1 of each system."""
    options = parse()
    texts = read_texts(options.rows, options.test_rows)
    with tempfile.TemporaryDirectory() as folder:
        name = write_bert_base(Path(folder)) if options.device == "cuda" else PACKAGED
        settings = make_settings(name, options)
        systems = {"synthlib": fit_ours}
        if options.device == "cuda":
            check_replay(load_encoder(name, "cuda"), texts, settings)
            systems |= {"synthlib, further run": fit_ours_again, "synthlib, sent steps": fit_ours_sent}
        if importlib.util.find_spec("accelerate"):
            systems |= {"Trainer, best flags": fit_trainer_best, "Trainer, defaults": fit_trainer_defaults}
        else:
            print("accelerate is not installed: Trainer is left out\n")
        encoder = load_encoder(name, options.device)
        measured: dict[str, list[tuple[float, ...]]] = {system: [] for system in systems}
        for repeat in range(-1, options.repeats):  # the first round only warms up
            for system, fit in systems.items():
                if options.device == "cuda":
                    torch.cuda.reset_peak_memory_stats()
                result = fit(encoder, texts, settings, max(repeat, 0), options)
                if repeat >= 0:
                    measured[system].append(result)
                gc.collect()
    report(measured, texts, settings, options)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rows", type=int, help="training texts (cpu: 384, cuda: 2048)")
    parser.add_argument("--test-rows", type=int, default=512, help="test texts")
    parser.add_argument("--epochs", type=int, help="passes over the training texts (cpu: 1, cuda: 3)")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3, help="timings to take the median of")
    options = parser.parse_args()
    options.rows = options.rows or (2048 if options.device == "cuda" else 384)
    options.epochs = options.epochs or (3 if options.device == "cuda" else 1)
    return options


def read_texts(n_train: int, n_test: int) -> Texts:
    """Return texts of all settings of the task, mixed."""
    rows = [json.loads(line) for line in (CORPORA / f"{TASK}.jsonl").read_text(encoding="utf-8").splitlines()]
    names = sorted({row["label"] for row in rows})
    rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
    labels = np.array([names.index(row["label"]) for row in rows])
    texts = [row["text"] for row in rows]
    test = slice(len(rows) - n_test, None)
    return Texts(texts[:n_train], texts[test], labels[:n_train], labels[test], len(names))


def write_bert_base(folder: Path) -> str:
    """Write random weights in the shape of BERT-base, and a tokenizer of the corpus's words, into ``folder``."""
    lines = (CORPORA / f"{TASK}.jsonl").read_text(encoding="utf-8").splitlines()
    words = {word for line in lines for word in json.loads(line)["text"].lower().split()}
    letters = sorted({letter for word in words for letter in word})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), *sorted(words)]
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(vocabulary)), encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=512).save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(BertConfig()).save_pretrained(folder)  # 30,522 words, of which the tokenizer uses the first few thousand
    return str(folder)


def make_settings(name: str, options: argparse.Namespace) -> Settings:
    return Settings(
        encoder=name,
        pooling="mean",
        hidden_units=768,
        learning_rate=5e-5,
        batch_size=options.batch_size,
        n_epochs=options.epochs,
        min_steps=0,
        warmup_share=0.1,
        max_grad_norm=1.0,
        max_length=MAX_LENGTH,
        weight_decay=0.01,
        device=options.device,
    )


def fit_ours(
    encoder: Encoder, texts: Texts, settings: Settings, seed: int, options: argparse.Namespace, *, again: bool = False
) -> tuple[float, ...]:
    """Return the seconds of training and of prediction, tokenising included, Macro-F1, and the peak of memory (GiB)."""
    kept, bar = Checkpoint(None, {}), tqdm(disable=True)
    run = Run(np.arange(len(texts.train)), seed)
    start = wait(options)
    tuner = make_tuner(encoder, texts, settings)
    if again:
        tuner.fit(run, number=0, kept=kept, bar=bar)
        start = wait(options)
    tuner.fit(run, number=0, kept=kept, bar=bar)
    middle = wait(options)
    predicted = tuner.predict(texts.test).argmax(-1)
    end = wait(options)
    f1 = macro_f1(texts.test_labels, predicted, n_labels=texts.n_labels)
    return middle - start, end - middle, f1, peak_memory(options)


def fit_ours_again(*arguments) -> tuple[float, ...]:
    return fit_ours(*arguments, again=True)


def fit_ours_sent(encoder: Encoder, texts: Texts, settings: Settings, *arguments) -> tuple[float, ...]:
    return fit_ours(encoder, texts, replace(settings, replayed=False), *arguments)


def make_tuner(encoder: Encoder, texts: Texts, settings: Settings) -> FineTuner:
    tokens = tokenize_checked(texts.train, encoder, settings)
    return FineTuner(encoder, tokens, np.eye(texts.n_labels, dtype=np.float32)[texts.train_labels], settings)


def check_replay(encoder: Encoder, texts: Texts, settings: Settings) -> None:
    """Print how far the losses of replayed steps are from those of sent ones, without dropout, in float32."""
    for module in encoder.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    run, losses = Run(np.arange(len(texts.train)), 0), []
    for replayed in (False, True):
        plain = replace(settings, precision="float32", n_epochs=2, replayed=replayed)
        history = make_tuner(encoder, texts, plain).fit(
            run, number=0, kept=Checkpoint(None, {}), bar=tqdm(disable=True)
        )
        losses.append(history["loss"].to_numpy())
    first, last, difference = losses[0][0], losses[0][-1], np.abs(losses[0] - losses[1]).max()
    print(f"replayed against sent steps, float32, no dropout: losses {first:.3f} to {last:.3f}, ", end="")
    print(f"largest difference {difference:.1e} in {len(losses[0])} steps\n")


def fit_trainer_defaults(*arguments) -> tuple[float, ...]:
    return fit_trainer(*arguments, flags={})


def fit_trainer_best(*arguments) -> tuple[float, ...]:
    flags = {"bf16": True, "bf16_full_eval": False, "dataloader_pin_memory": True, "per_device_eval_batch_size": 128}
    names = TrainingArguments.__dataclass_fields__
    by_length = (
        {"group_by_length": True} if "group_by_length" in names else {"train_sampling_strategy": "group_by_length"}
    )
    return fit_trainer(*arguments, flags=flags | by_length)


def fit_trainer(
    encoder: Encoder, texts: Texts, settings: Settings, seed: int, options: argparse.Namespace, *, flags: dict
) -> tuple[float, ...]:
    """Return what :func:`fit_ours` returns, of transformers' Trainer on the same classifier."""
    set_seed(seed)
    model = ForTrainer(Classifier(encoder, settings.pooling, settings.hidden_units, texts.n_labels))
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            learning_rate=settings.learning_rate,
            per_device_train_batch_size=settings.batch_size,
            num_train_epochs=settings.n_epochs,
            weight_decay=settings.weight_decay,
            use_cpu=settings.device == "cpu",
            seed=seed,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            remove_unused_columns=False,
            **flags,
        )
        start = wait(options)
        train = Rows(encoder, texts.train, texts.train_labels)
        trainer = Trainer(model, arguments, train_dataset=train, data_collator=lambda rows: pad(encoder, rows))
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        middle = wait(options)
        predicted = trainer.predict(Rows(encoder, texts.test, texts.test_labels)).predictions.argmax(-1)
        end = wait(options)
    f1 = macro_f1(texts.test_labels, predicted, n_labels=texts.n_labels)
    return middle - start, end - middle, f1, peak_memory(options)


class Rows(torch.utils.data.Dataset):
    """Texts tokenised once, as Trainer takes them."""

    def __init__(self, encoder: Encoder, texts: list[str], labels: np.ndarray) -> None:
        self.ids = encoder.tokenizer(texts, truncation=True, max_length=MAX_LENGTH)["input_ids"]
        self.labels = labels.tolist()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> dict:
        return {"input_ids": self.ids[row], "labels": self.labels[row]}


def pad(encoder: Encoder, rows: list[dict]) -> dict[str, torch.Tensor]:
    batch = encoder.tokenizer.pad({"input_ids": [row["input_ids"] for row in rows]}, return_tensors="pt")
    return {**batch, "labels": torch.tensor([row["labels"] for row in rows])}


class ForTrainer(torch.nn.Module):
    """The same classifier with the arguments and results that Trainer wants; the mask goes to transformers as it is."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier
        self.classifier._attended = lambda mask: mask.long()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor) -> dict:
        """Return loss and logits."""
        logits = self.classifier(input_ids, attention_mask.bool())
        return {"loss": torch.nn.functional.cross_entropy(logits.float(), labels), "logits": logits}


def wait(options: argparse.Namespace) -> float:
    """Return the time once the device has done all it was given."""
    if options.device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def peak_memory(options: argparse.Namespace) -> float:
    """Return the most memory of the graphics card that was in use since the system began, GiB."""
    return torch.cuda.max_memory_allocated() / 2**30 if options.device == "cuda" else float("nan")


def report(measured: dict, texts: Texts, settings: Settings, options: argparse.Namespace) -> None:
    device = torch.cuda.get_device_name() if options.device == "cuda" else f"{os.cpu_count()} cores"
    shape = "BERT-base, random weights" if options.device == "cuda" else settings.encoder
    print(f"{shape}; {device}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(
        f"{len(texts.train)} training texts, {settings.n_epochs} epoch(s), batch {settings.batch_size}; "
        f"{len(texts.test)} test texts; median of {options.repeats}\n"
    )
    print(f"{'':24}{'training/s':>12}{'ratio':>8}{'prediction/s':>14}{'ratio':>8}{'Macro-F1':>10}{'peak GiB':>10}")
    medians = {name: np.median(rows, axis=0) for name, rows in measured.items()}
    ours = medians["synthlib"]
    for name, (training, prediction, f1, peak) in medians.items():
        speeds = len(texts.train) * settings.n_epochs / training, len(texts.test) / prediction
        ratios = training / ours[0], prediction / ours[1]
        print(f"{name:24}{speeds[0]:12.1f}{ratios[0]:8.2f}{speeds[1]:14.1f}{ratios[1]:8.2f}{f1:10.3f}{peak:10.2f}")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*texts reach max_length.*|.*pin_memory.*")
        main()
