"""Conversations with a language model: which requests each one holds, in which order, and holding many at a time.

A conversation's turns run in order, each sent with all before it and their answers; conversations run side by side. The
plan depends on the seed alone, and asking for more texts later adds turns at its end, so every call keeps its key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from synthlib.asking.answers import FormatError, pick_candidates, read_candidates, read_outline
from synthlib.asking.calls import Answer
from synthlib.asking.prices import TOKENS_PER_MESSAGE, TOKENS_PER_WORD, estimate_tokens
from synthlib.asking.rate import StoppedError
from synthlib.draws import draw_requests, stream_of
from synthlib.prompts import Request, render, render_outline
from synthlib.settings import SHOWING_SETTINGS
from synthlib.tasks import Task, Wording

if TYPE_CHECKING:
    from synthlib.asking.patience import Asking

OUTLINE_WORDS = 50  # of a summary and a sentence, as a rule of thumb
JSON_TOKENS = 15  # around a candidate in its list
T = TypeVar("T")


@dataclass(frozen=True)
class Conversation:
    """Requests that are put to the model one after the other.

    Attributes
    ----------
    name : str
        ``setting/number``, or ``setting/label/number`` where labels are kept apart.
    requests : tuple of Request
        In order, each with its turn.
    """

    name: str
    requests: tuple[Request, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of one request.

    Attributes
    ----------
    request, conversation : Request, str
        What was asked, and where.
    answers : tuple of Answer
        All that came, broken ones among them.
    n_new : int
        How many of them were asked for now; the others were in the store.
    texts : tuple of (Request, str)
        What is kept of the last answer: each text, with the request as it was in the end (with its outline, or the
        probability of the candidate). Fewer than ``request.n_texts`` where no answer was sound.
    prompt : str
        The last user message; a real text stands there by its key.
    """

    request: Request
    conversation: str
    answers: tuple[Answer, ...]
    n_new: int
    texts: tuple[tuple[Request, str], ...]
    prompt: str


@dataclass(frozen=True)
class Brief:
    """What all requests of a task share: its prompts, real texts by label and key (where any are shown), the seed."""

    task: Task
    wording: Wording
    examples: Mapping[str, Mapping[str, str]]
    seed: int

    @property
    def texts(self) -> dict[str, str]:
        """Real texts by key."""
        return {key: text for texts in self.examples.values() for key, text in texts.items()}


def plan(
    brief: Brief, settings: Sequence[str], *, n_per_label: int, labels: str, texts_per_conversation: int
) -> list[Conversation]:
    """Return the conversations that ask for ``n_per_label`` texts of each setting and label.

    With labels ``mixed``, every round asks once for each label, in random order, so a conversation holds all labels
    about equally often; with ``apart`` it holds one. See :class:`synthlib.asking.backends.Llm`.

    Raises
    ------
    ValueError
        A request cannot be drawn (:func:`synthlib.draws.draw_request`).
    """
    conversations = []
    for setting in settings:
        drawn = {label: _draw(brief, setting, label, n_per_label) for label in brief.task.labels}
        queues = {f"{setting}/{label}": requests for label, requests in drawn.items()}
        if labels == "mixed":
            queues = {setting: list(_mix(drawn, stream_of(brief.seed, brief.task.name, setting, "order of labels")))}
        for name, queue in queues.items():
            for start in range(0, len(queue), texts_per_conversation):
                chosen = enumerate(queue[start : start + texts_per_conversation], 1)
                turns = tuple(replace(request, turn=turn) for turn, request in chosen)
                conversations.append(Conversation(f"{name}/{start // texts_per_conversation + 1}", turns))
    return conversations


def _mix(drawn: Mapping[str, Sequence[Request]], stream: int) -> Iterator[Request]:
    for n, requests in enumerate(zip(*drawn.values(), strict=True), 1):
        for place in np.random.default_rng([stream, n]).permutation(len(requests)):
            yield requests[place]


def _draw(brief: Brief, setting: str, label: str, n_texts: int) -> list[Request]:
    """Return the requests for so many texts; the last one may have to give fewer than the others."""
    if setting in SHOWING_SETTINGS and label not in brief.examples:
        raise ValueError(f"{brief.task.name}: no real texts of {label!r} to show in {setting} requests")
    pool = list(brief.examples[label]) if setting in SHOWING_SETTINGS else None
    shared = {"seed": brief.seed, "wording": brief.wording, "pool": pool}
    each = brief.wording.texts_per_request(setting)
    requests = draw_requests(brief.task, setting, label=label, n_requests=-(-n_texts // each), **shared)
    if each > 1:
        return [replace(request, n_texts=min(each, n_texts - each * (request.n - 1))) for request in requests]
    return requests


def estimate_calls(conversation: Conversation, brief: Brief) -> np.ndarray:
    """Return about how many tokens each turn of a conversation has if every answer is as long as asked.

    By rule of thumb: four characters a token, 75 words 100 tokens. An answer without a length is as long as the mean of
    its examples; an outline has 50 words.

    Returns
    -------
    tokens : ndarray of int, shape (T, 2)
        Of the prompt (with all earlier turns) and of the answer, by turn; a hierarchical turn's two calls are added up.
    """
    texts = brief.texts
    context = held = estimate_tokens([_context(brief)])
    rows = []
    for request in conversation.requests:
        first = np.zeros(2, dtype=int)
        if request.setting == "hierarchical":
            user = {"role": "user", "content": render_outline(brief.task, request, wording=brief.wording)}
            first += context + estimate_tokens([user]), round(OUTLINE_WORDS * TOKENS_PER_WORD)
            request = with_outline(request, dict.fromkeys(("summary", "sentence"), "word " * (OUTLINE_WORDS // 2)))
        user = render(brief.task, request, wording=brief.wording, texts=texts)
        held += estimate_tokens([{"role": "user", "content": user}])
        answer = _estimate_answer(request, brief.wording, texts)
        rows.append(first + np.array([held, answer]))
        held += answer + TOKENS_PER_MESSAGE
    return np.array(rows)


def check_room(conversations: Sequence[Conversation], brief: Brief, *, max_tokens: int) -> None:
    """Raise ValueError if the list that a verbalized request asks for would be cut off at ``max_tokens``."""
    asked = [r for c in conversations for r in c.requests if r.setting == "verbalized"]
    needed = max((_estimate_answer(request, brief.wording, {}) for request in asked), default=0)
    if needed > max_tokens:
        raise ValueError(
            f"llm.max_tokens is {max_tokens}, but a verbalized answer of {brief.task.name} has about {needed} tokens "
            f"({brief.wording.candidates} texts) and would be cut off: raise max_tokens, or lower candidates in "
            "params/prompts.yaml"
        )


def _estimate_answer(request: Request, wording: Wording, texts: Mapping[str, str]) -> int:
    shown = [len(texts[key].split()) for key in request.examples]
    tokens = request.drawn.get("words", sum(shown) / max(len(shown), 1)) * TOKENS_PER_WORD
    if request.setting == "verbalized":
        return round(wording.candidates * (tokens + JSON_TOKENS))
    return round(tokens)


def with_outline(request: Request, outline: Mapping[str, str]) -> Request:
    """Return a hierarchical request with the outline that its first call wrote."""
    return replace(request, drawn={**request.drawn, "outline": dict(outline)})


async def hold(
    conversation: Conversation,
    asker: Asking,
    *,
    brief: Brief,
    texts: Mapping[str, str],
    tell: Callable[[Outcome], None],
) -> None:
    """Hold a conversation; ``tell`` is given the outcome of each request as it comes.

    A broken answer is asked for again, as another replicate. A request that stays without a text is left out of what
    later turns see. The outline of a hierarchical request is asked for outside the conversation, right before it.
    """
    chat = [_context(brief)]
    for request in conversation.requests:
        asked, planned = _Asked(asker, request, brief), request
        if request.setting == "hierarchical":
            user = {"role": "user", "content": render_outline(brief.task, request, wording=brief.wording)}
            outline = await asked.until_read([_context(brief), user], "outline/", read_outline)
            if outline is None:
                tell(Outcome(request, conversation.name, tuple(asked.answers), asked.n_new, (), user["content"]))
                continue
            planned = with_outline(request, outline)
        prompt = shown = render(brief.task, planned, wording=brief.wording, texts=None)
        if request.examples:
            shown = render(brief.task, planned, wording=brief.wording, texts=texts)
        user = {"role": "user", "content": shown}
        found = await asked.until_read([*chat, user], "", partial(_read_texts, planned, brief))
        if found is not None:
            chat += [user, {"role": "assistant", "content": asked.answers[-1].text}]
        tell(Outcome(request, conversation.name, tuple(asked.answers), asked.n_new, tuple(found or ()), prompt))


class _Asked:
    """What has been asked for one request, and all answers so far."""

    def __init__(self, asker: Asking, request: Request, brief: Brief) -> None:
        self.asker, self.answers, self.n_new = asker, [], 0
        self.name = f"{brief.seed}/{brief.task.name}/{request.setting}/{request.label}/{request.n}"

    async def until_read(self, messages: list[dict[str, str]], step: str, read: Callable[[str], T]) -> T | None:
        """Return what ``read`` makes of the first sound answer; None if none of ``asks_per_text`` is."""
        for number in range(1, self.asker.settings.asks_per_text + 1):
            answer, new = await self.asker.ask(messages, replicate=f"{self.name}/{step}{number}")
            self.n_new += new
            try:
                found = read(answer.text) if answer.kind == "text" else None
            except FormatError:
                found, answer = None, replace(answer, kind="off_format")
            self.answers.append(answer)
            if found is not None:
                return found
        return None


def _read_texts(request: Request, brief: Brief, answer: str) -> list[tuple[Request, str]]:
    if request.setting != "verbalized":
        return [(request, answer)]
    candidates = read_candidates(answer, n=brief.wording.candidates)
    shared = {"wording": brief.wording, "task_name": brief.task.name, "seed": brief.seed}
    return [
        (replace(request, drawn={**request.drawn, "probability": candidate.probability}), candidate.text)
        for candidate in pick_candidates(candidates, request, **shared)
    ]


async def hold_all(
    conversations: Sequence[Conversation], asker: Asking, *, brief: Brief, tell: Callable[[Outcome], None]
) -> None:
    """Hold conversations side by side, as many as are worth it to the asker.

    At the first error nothing more is sent; the answers in flight are waited for and kept, then it is raised.
    """
    waiting, texts = iter(conversations), brief.texts

    async def work() -> None:
        for conversation in waiting:
            try:
                await hold(conversation, asker, brief=brief, texts=texts, tell=tell)
            except StoppedError:
                return
            except Exception as error:
                return await asker.stop(error)

    async with asker:
        await asyncio.gather(*(work() for _ in range(min(asker.width, len(conversations)))))
    if asker.error is not None:
        raise asker.error


def _context(brief: Brief) -> dict[str, str]:
    return {"role": "system", "content": brief.task.context.strip()}
