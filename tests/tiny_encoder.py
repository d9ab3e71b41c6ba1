"""A random BERT of a few thousand weights on disk: the real loading and encoding path, in milliseconds."""

from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizerFast, RobertaConfig, RobertaModel

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"a short text the cat sat on mat and dog".split()]


def write_tiny_encoder(folder: Path, *, kind: str = "bert") -> str:
    """Write the encoder into ``folder`` and return the name by which it is loaded."""
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config, model = {"bert": (BertConfig, BertModel), "roberta": (RobertaConfig, RobertaModel)}[kind]
    model(config(vocab_size=len(WORDS), pad_token_id=0, **sizes)).save_pretrained(folder)
    return str(folder)
