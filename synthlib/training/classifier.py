"""The classifier: an encoder, the pooling of its last layer, one hidden layer, one output per label."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.nn.functional import embedding

from synthlib.encode import Encoder
from synthlib.training.tokens import Tokens


class Classifier(torch.nn.Module):
    """An encoder, the pooling of its last layer, one hidden layer, one output per label (Li et al. 2023, section 4)."""

    def __init__(self, encoder: Encoder, pooling: str, hidden_units: int, n_labels: int) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder.model).float()
        self.masked = takes_made_mask(self.encoder.config)
        self.pooling = pooling
        self.hidden = torch.nn.Linear(encoder.dim, hidden_units, device=encoder.device)
        self.output = torch.nn.Linear(hidden_units, n_labels, device=encoder.device)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return logits (B, K) of token numbers (B, W); ``mask`` (B, W) is true where there is a token."""
        states = self.encoder(input_ids=ids, attention_mask=self._attended(mask)).last_hidden_state  # (B, W, D)
        if self.pooling == "cls":
            pooled = states[:, 0]  # (B, D)
        else:
            pooled = (states.float() * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)  # (B, D)
        return self.output(torch.relu(self.hidden(pooled)))  # (B, K)

    def _attended(self, mask: torch.Tensor) -> torch.Tensor:
        """Return the mask for attention, ready made where transformers would look into it and wait for the device."""
        return mask[:, None, None].expand(-1, 1, mask.shape[1], -1) if self.masked else mask.long()


def takes_made_mask(config: Any) -> bool:
    """Tell whether an encoder's attention takes one mask (B, 1, W, W); those with local attention make several."""
    local = any(getattr(config, name, None) for name in ("layer_types", "sliding_window", "local_attention"))
    return config._attn_implementation == "sdpa" and not local


class TextsOnDevice:
    """Token numbers and targets of N texts on a device, from which batches are taken."""

    def __init__(self, tokens: Tokens, device: torch.device, targets: np.ndarray | None = None) -> None:
        self.widths = tokens.widths
        self.ids = torch.tensor(tokens.ids, device=device)  # (N, W)
        self.lengths = torch.tensor(tokens.lengths, device=device)  # (N,)
        self.targets = None if targets is None else torch.tensor(targets, device=device)  # (N, K)

    def locate(self, rows: np.ndarray) -> tuple[torch.Tensor, int]:
        """Return the rows of a batch on the device (B,), and the width that holds the longest of its texts."""
        index = torch.from_numpy(rows)
        if self.ids.is_cuda:
            index = index.pin_memory().to(self.ids.device, non_blocking=True)
        return index, int(self.widths[rows].max())  # the width is known on the host: nothing waits for the device

    def take(self, index: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Return the token numbers (B, W) of a batch, its mask (B, W) and its targets (B, K)."""
        ids = self.ids[:, :width][index].long()
        mask = torch.arange(width, device=ids.device) < self.lengths[index, None]
        return ids, mask, None if self.targets is None else self.targets[index]


class UsedRows(torch.nn.Module):
    """The rows of a word embedding for the tokens that some texts use.

    The other rows get no gradient. Without them the optimiser has far less to do (half of a small encoder's weights
    are such rows), and no prediction changes, but for weight decay on words that were never seen.
    """

    def __init__(self, full: torch.nn.Embedding, ids: np.ndarray) -> None:
        super().__init__()
        used = torch.tensor(np.unique(ids), device=full.weight.device)  # (U,)
        place = torch.zeros(full.num_embeddings, dtype=torch.long, device=used.device)
        place[used] = torch.arange(len(used), device=used.device)
        self.register_buffer("used", used, persistent=False)
        self.register_buffer("place", place, persistent=False)  # (V,): where in ``weight`` a token stands
        self.weight = torch.nn.Parameter(full.weight.detach()[used])  # (U, D)
        self.full = [full]  # in a list: its weights are none of this module's

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the vectors (B, W, D) of token numbers (B, W)."""
        return embedding(self.place[ids], self.weight)


def use_rows(encoder: torch.nn.Module, ids: np.ndarray) -> None:
    """Leave in the encoder's word embedding only the rows of the tokens in ``ids``; see :class:`UsedRows`."""
    full = encoder.get_input_embeddings()
    if type(full) is torch.nn.Embedding:  # some encoders have one of their own kind, with more in it
        encoder.set_input_embeddings(UsedRows(full, ids))


@contextmanager
def all_rows(encoder: torch.nn.Module) -> Iterator[None]:
    """Within, the encoder knows every word again, as for texts it was not trained on."""
    small = encoder.get_input_embeddings()
    if not isinstance(small, UsedRows):
        yield
        return
    (full,) = small.full
    with torch.no_grad():
        full.weight[small.used] = small.weight
    encoder.set_input_embeddings(full)
    try:
        yield
    finally:
        encoder.set_input_embeddings(small)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which matrix products run in ``bfloat16`` or ``float32``.

    ``auto`` is bfloat16 where the hardware multiplies it: graphics cards since Ampere, processors that say so.
    """
    if precision == "auto":
        if device.type == "cuda":
            native = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            known = getattr(torch.cpu, "get_capabilities", dict)()  # not in older torch
            native = any("bf16" in name and bool(value) for name, value in known.items())
        precision = "bfloat16" if native else "float32"
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
