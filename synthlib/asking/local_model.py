"""A causal language model from a folder on disk that continues many prompts at once, each with draws of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessor, LogitsProcessorList

from synthlib import paths
from synthlib.asking.backends import Local, name_model
from synthlib.devices import pick_device


@dataclass(frozen=True)
class Reply:
    """What a model wrote; finish_reason is stop, or length where it was cut off at max_tokens."""

    text: str
    finish_reason: str
    prompt_tokens: int
    answer_tokens: int


class LocalModel:
    """A loaded model with its chat template.

    Attributes
    ----------
    name : str
        The folder's name and a digest of what is in it: another model in the same folder has another name.

    Raises
    ------
    FileNotFoundError
        There is no such folder, or no model in it.
    ValueError
        Its tokenizer has no chat template.
    """

    def __init__(self, settings: Local) -> None:
        folder = paths.ROOT / Path(settings.model).expanduser()
        if not (folder / "config.json").is_file():
            raise FileNotFoundError(
                f"llm.model {settings.model!r} is no folder with a model: there is no {folder / 'config.json'}. Save "
                "one there with transformers' save_pretrained (model and tokenizer), or give another folder"
            )
        self.name, self.settings, self.device = name_model(folder), settings, pick_device(settings.device)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        if not self._tokenizer.chat_template:
            raise ValueError(
                f"the tokenizer in {folder} has no chat template, so it is not known how the model expects a "
                "conversation: take a model tuned for chat, or write the template of its model card (Jinja) to "
                f"{folder / 'chat_template.jinja'}"
            )
        model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=settings.dtype)
        self._model = model.to(self.device).eval()
        self._ends = _list_ends(self._model.generation_config.eos_token_id, self._tokenizer.eos_token_id)
        chosen = (settings.temperature, settings.top_p)
        own = (self._model.generation_config.temperature, self._model.generation_config.top_p)
        self._temperature, self._top_p = (
            next((value for value in pair if value is not None), 1.0) for pair in zip(chosen, own, strict=True)
        )

    def encode(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Return the tokens of a conversation, up to where the model's answer begins."""
        return self._tokenizer.apply_chat_template(
            list(messages), add_generation_prompt=True, tokenize=True, return_dict=True
        )["input_ids"]

    def write(self, prompts: Sequence[Sequence[int]], keys: Sequence[str]) -> list[Reply]:
        """Return how the model continues each prompt.

        Parameters
        ----------
        prompts : sequence of sequence of int
            Tokens (:meth:`encode`).
        keys : sequence of str
            One a prompt; the draws depend on it alone.
        """
        most, longest = self.settings.max_tokens, max(len(prompt) for prompt in prompts)
        filler = self._tokenizer.pad_token_id if self._tokenizer.pad_token_id is not None else self._ends[0]
        tokens = torch.full((len(prompts), longest), filler)  # (B, T), filled up on the left
        mask = torch.zeros_like(tokens)
        for row, prompt in enumerate(prompts):
            tokens[row, longest - len(prompt) :] = torch.tensor(prompt)
            mask[row, longest - len(prompt) :] = 1
        draws = np.stack([np.random.default_rng(int(key, 16)).random(most) for key in keys])  # (B, max_tokens)
        sampler = _Sampler(torch.from_numpy(draws).to(self.device), longest, self._temperature, self._top_p)
        with torch.inference_mode():
            written = self._model.generate(
                input_ids=tokens.to(self.device),
                attention_mask=mask.to(self.device),
                max_new_tokens=most,
                do_sample=False,  # the sampler leaves one token
                num_beams=1,
                temperature=None,
                top_p=None,
                top_k=None,
                pad_token_id=filler,
                eos_token_id=self._ends,
                logits_processor=LogitsProcessorList([sampler]),
            )[:, longest:].cpu()
        return [self._read(row.tolist(), len(prompt)) for row, prompt in zip(written, prompts, strict=True)]

    def _read(self, tokens: list[int], n_prompt: int) -> Reply:
        end = next((place for place, token in enumerate(tokens) if token in self._ends), None)
        text = self._tokenizer.decode(tokens[:end], skip_special_tokens=True)
        n_answer = len(tokens) if end is None else end + 1
        return Reply(text, "length" if end is None else "stop", n_prompt, n_answer)


class _Sampler(LogitsProcessor):
    """Leaves the one token that each row draws: where its draw falls in the cumulated probabilities."""

    def __init__(self, draws: torch.Tensor, n_prompt: int, temperature: float, top_p: float) -> None:
        self.draws, self.n_prompt, self.temperature, self.top_p = draws, n_prompt, temperature, top_p

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if self.temperature == 0:
            return scores
        chances = torch.softmax(scores.double() / self.temperature, dim=-1)  # (B, V)
        chances, tokens = chances.sort(dim=-1, descending=True, stable=True)
        cumulated = chances.cumsum(dim=-1)
        kept = (cumulated - chances < self.top_p).sum(dim=-1, keepdim=True)  # (B, 1): the first is always kept
        most = cumulated.gather(1, kept - 1)
        draw = self.draws[:, input_ids.shape[1] - self.n_prompt, None] * most
        place = torch.minimum(torch.searchsorted(cumulated, draw, right=True), kept - 1)
        return torch.full_like(scores, -torch.inf).scatter(1, tokens.gather(1, place), 0.0)


def _list_ends(*found: int | list[int] | None) -> list[int]:
    ends: list[int] = []
    for value in found:
        ends += value if isinstance(value, list) else [] if value is None else [value]
    if not ends:
        raise ValueError("the model has no token that ends an answer (eos_token_id in generation_config.json)")
    return list(dict.fromkeys(ends))
