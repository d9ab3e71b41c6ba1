"""Conversations with a language model: which requests each one holds, in which order, and holding many at a time.

A conversation's turns run in order, each sent with all before it and their answers; conversations run side by side. The
plan depends on the seed alone, and asking for more texts later adds turns at its end, so every call keeps its key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from synthlib.calls import Answer
from synthlib.draws import draw_requests, stream_of
from synthlib.prices import TOKENS_PER_MESSAGE, TOKENS_PER_WORD, estimate_tokens
from synthlib.prompts import Request, render
from synthlib.rate import StoppedError
from synthlib.tasks import Task, Wording

if TYPE_CHECKING:
    from synthlib.asking import Asking


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
        All that came. The last one is the text, unless it is broken as well: then the text is missing.
    n_new : int
        How many of them were asked for now; the others were in the store.
    """

    request: Request
    conversation: str
    answers: tuple[Answer, ...]
    n_new: int


@dataclass(frozen=True)
class Brief:
    """What all requests of a task share: its prompts, the real texts by label and key (few-shot only), the seed."""

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
    about equally often; with ``apart`` it holds one. See :class:`synthlib.backends.Llm`.

    Raises
    ------
    ValueError
        A request cannot be drawn (:func:`synthlib.draws.draw_request`).
    """
    conversations = []
    for setting in settings:
        drawn = {label: _draw(brief, setting, label, n_per_label) for label in brief.task.label_names}
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


def _draw(brief: Brief, setting: str, label: str, n_requests: int) -> list[Request]:
    if setting == "few_shot" and label not in brief.examples:
        raise ValueError(f"{brief.task.name}: no real texts of {label!r} to show in few-shot requests")
    pool = list(brief.examples[label]) if setting == "few_shot" else None
    shared = {"seed": brief.seed, "wording": brief.wording, "pool": pool}
    return draw_requests(brief.task, setting, label=label, n_requests=n_requests, **shared)


def estimate_calls(conversation: Conversation, brief: Brief) -> np.ndarray:
    """Return about how many tokens each call of a conversation has if every answer is as long as asked.

    By rule of thumb: four characters a token, 75 words 100 tokens. An answer without a length is as long as the mean of
    its examples.

    Returns
    -------
    tokens : ndarray of int, shape (T, 2)
        Of the prompt (with all earlier turns) and of the answer, by turn.
    """
    texts = brief.texts
    held = estimate_tokens([_context(brief)])
    rows = []
    for request in conversation.requests:
        user = render(brief.task, request, wording=brief.wording, texts=texts)
        held += estimate_tokens([{"role": "user", "content": user}])
        shown = [len(texts[key].split()) for key in request.examples]
        answer = round(request.drawn.get("words", sum(shown) / max(len(shown), 1)) * TOKENS_PER_WORD)
        rows.append((held, answer))
        held += answer + TOKENS_PER_MESSAGE
    return np.array(rows)


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
    later turns see.
    """
    chat = [_context(brief)]
    for request in conversation.requests:
        user = {"role": "user", "content": render(brief.task, request, wording=brief.wording, texts=texts)}
        answers, n_new = [], 0
        name = f"{brief.seed}/{brief.task.name}/{request.setting}/{request.label}/{request.n}"
        while len(answers) < asker.settings.asks_per_text and not (answers and answers[-1].kind == "text"):
            answer, new = await asker.ask([*chat, user], replicate=f"{name}/{len(answers) + 1}")
            answers.append(answer)
            n_new += new
        if answers[-1].kind == "text":
            chat += [user, {"role": "assistant", "content": answers[-1].text}]
        tell(Outcome(request, conversation.name, tuple(answers), n_new))


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
