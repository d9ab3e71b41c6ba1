"""The Trainer of transformers on the classifier of synthlib, for bench_finetune.py; needs the package accelerate."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PrinterCallback, Trainer, TrainingArguments
from transformers.trainer_utils import set_seed

from synthlib.encode import Encoder
from synthlib.finetune import Hyperparameters
from synthlib.training.classifier import Classifier

BEST = {"bf16": True, "bf16_full_eval": False, "dataloader_pin_memory": True, "per_device_eval_batch_size": 128}
BEST |= (
    {"group_by_length": True}
    if "group_by_length" in TrainingArguments.__dataclass_fields__
    else {"train_sampling_strategy": "group_by_length"}
)


@dataclass(frozen=True)
class Texts:
    """Training and test texts with their labels (0 to ``n_labels`` - 1)."""

    train: list[str]
    test: list[str]
    train_labels: np.ndarray
    test_labels: np.ndarray
    n_labels: int


def fit_trainer(
    encoder: Encoder, texts: Texts, hyperparameters: Hyperparameters, seed: int, *, flags: dict
) -> tuple[float, float, np.ndarray]:
    """Return the seconds of training and of prediction, tokenising included, and the predicted labels."""
    set_seed(seed)
    model = ForTrainer(Classifier(encoder, hyperparameters.pooling, hyperparameters.hidden_units, texts.n_labels))
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            learning_rate=hyperparameters.learning_rate,
            num_train_epochs=hyperparameters.n_epochs,
            weight_decay=hyperparameters.weight_decay,
            use_cpu=hyperparameters.device == "cpu",
            seed=seed,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            remove_unused_columns=False,
            **({"per_device_train_batch_size": hyperparameters.batch_size} | flags),
        )
        start = wait(hyperparameters.device)
        train = Rows(encoder, texts.train, texts.train_labels, hyperparameters.max_length)
        trainer = Trainer(model, arguments, train_dataset=train, data_collator=lambda rows: pad(encoder, rows))
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        middle = wait(hyperparameters.device)
        predicted = trainer.predict(
            Rows(encoder, texts.test, texts.test_labels, hyperparameters.max_length)
        ).predictions.argmax(-1)
        end = wait(hyperparameters.device)
    return middle - start, end - middle, predicted


class Rows(torch.utils.data.Dataset):
    """Texts tokenised once, as Trainer takes them."""

    def __init__(self, encoder: Encoder, texts: list[str], labels: np.ndarray, max_length: int) -> None:
        self.ids = encoder.tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]
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
        self.classifier.masked = False

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor) -> dict:
        """Return loss and logits."""
        logits = self.classifier(input_ids, attention_mask.bool())
        return {"loss": torch.nn.functional.cross_entropy(logits.float(), labels), "logits": logits}


def wait(device: str) -> float:
    """Return the time once the device has done all it was given."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
