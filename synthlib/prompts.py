"""The chat messages that ask for a text, and what is drawn for each request. Pure functions: no model is asked here.

zero-shot: the context, then a generation prompt per text, and a diversity prompt after every ``wording.batch`` texts.
few-shot: the same, but a few real texts of the label and the imitation constraint stand before each generation prompt.
attributed: the same as zero-shot, but each request carries drawn attributes and perhaps three drawn words.
hierarchical: attributed in two calls: the first asks for an outline, the second gives it back and asks for the text.
grounded: one real text of the label, and a request for a text of its own on the same topic.
verbalized: the same as zero-shot, but asks for several texts at once, each with its probability.

References
----------
Eldan & Li (2023), TinyStories, section 2 (attributed and hierarchical); Veselovsky et al. (2023), Generating Faithful
Synthetic Data with Large Language Models, arXiv 2305.15041 (grounded); Zhang et al. (2025), Verbalized Sampling, arXiv
2510.01171.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from synthlib.settings import ATTRIBUTED_SETTINGS, SETTINGS, SHOWING_SETTINGS
from synthlib.tasks import Task, Wording

_LENGTH_CLAUSE = re.compile(r" (?:of|in) about \{words\} words")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_WORD_KINDS = ("verb", "noun", "adjective")
_OUTLINE = ("summary", "sentence")
_DRAWN = frozenset({"words", "attributes", "vocabulary", "outline", "probability"})  # and the task's own draws


@dataclass(frozen=True)
class Request:
    """What one text is asked with.

    Attributes
    ----------
    setting, label : str
        How it is asked, and for what.
    n : int
        Its number within setting and label, from 1.
    drawn : dict
        What was drawn for it: words (its length), the task's own draws such as genre, attributes (name to value) and
        vocabulary (verb, noun, adjective), each only where the request has it. What an answer adds stands here too:
        outline (summary and sentence) of a hierarchical request, probability of a verbalized one.
    examples : tuple of str
        Keys of the real texts shown before it.
    turn : int or None
        Its number within its conversation, from 1; None: the same as n.
    n_texts : int
        How many texts are taken from its answer: one, but for verbalized requests that keep all.
    """

    setting: str
    label: str
    n: int
    drawn: Mapping[str, Any]
    examples: tuple[str, ...]
    turn: int | None = None
    n_texts: int = 1

    @property
    def n_calls(self) -> int:
        """How many calls it takes if no answer is broken."""
        return 2 if self.setting == "hierarchical" else 1


def messages(
    task: Task,
    request: Request,
    *,
    wording: Wording,
    earlier: Sequence[tuple[Request, str]] = (),
    texts: Mapping[str, str] | None = None,
) -> list[dict[str, str]]:
    """Return the chat messages of a request: the context, what was asked and answered before, and the request.

    Parameters
    ----------
    earlier : sequence of (Request, str)
        Earlier requests of the conversation, with the text that came back.
    texts : mapping, optional
        Real texts by key, for few-shot examples. None shows a placeholder with the key: the real texts are not shipped.

    Returns
    -------
    messages : list of dict
        ``role`` (system, user or assistant) and ``content``, in order.

    Raises
    ------
    ValueError
        The prompts or a request do not fit the task (:func:`check_prompts`, :func:`check_request`), or a real text is
        missing from ``texts``.
    """
    check_prompts(task, wording)
    chat = [{"role": "system", "content": task.context.strip()}]
    for past, text in earlier:
        chat.append({"role": "user", "content": render(task, past, wording=wording, texts=texts)})
        chat.append({"role": "assistant", "content": text})
    return [*chat, {"role": "user", "content": render(task, request, wording=wording, texts=texts)}]


def render(task: Task, request: Request, *, wording: Wording, texts: Mapping[str, str] | None) -> str:
    """Return the user message of a request.

    Turns number ``batch + 1``, ``2 batch + 1`` and so on open with the diversity prompt. A request without a length
    (the released few-shot ones) has no length clause: the examples set the length. A hierarchical request needs its
    outline; :func:`render_outline` asks for it.

    Raises
    ------
    ValueError
        See :func:`check_request`; or a hierarchical request has no outline, or a real text is missing.
    """
    check_request(task, request)
    turn, label = request.turn or request.n, task.labels[request.label]
    parts = [wording.diversity] if turn > 1 and (turn - 1) % wording.batch == 0 else []
    if request.setting == "grounded":
        shown = f"Real text: {_show(request.examples[0], texts)}"
        return "\n\n".join([*parts, shown, wording.grounded.format(label=label.say, means=label.means)])
    if request.setting == "few_shot":
        parts += [f"Example {i}: {_show(key, texts)}" for i, key in enumerate(request.examples, 1)]
        parts.append(wording.imitation)
    sentences = [_ask(task, request, wording)]
    if request.setting == "hierarchical":
        if "outline" not in request.drawn:
            raise ValueError(f"a hierarchical request (text {request.n} of {request.label}) has no outline yet")
        sentences.append(wording.write.format(**request.drawn["outline"]))
    if request.setting == "verbalized":
        sentences.append(wording.verbalized.format(candidates=wording.candidates))
    return "\n\n".join([*parts, " ".join(sentences)])


def render_outline(task: Task, request: Request, *, wording: Wording) -> str:
    """Return the user message that asks for the outline of a hierarchical request: a summary and a sentence."""
    check_request(task, request)
    return wording.outline.format(prompt=_ask(task, request, wording))


def _ask(task: Task, request: Request, wording: Wording) -> str:
    """Return what every setting but grounded asks: the task's own prompt, then drawn attributes and words."""
    generate = task.generate if "words" in request.drawn else _LENGTH_CLAUSE.sub("", task.generate)
    values = {name: request.drawn[name] for name in ("words", *task.draws) if name in request.drawn}
    sentences = [generate.format(label=task.labels[request.label].say, **values)]
    if attributes := request.drawn.get("attributes"):
        listed = "; ".join(f"{name}: {attributes[name]}" for name in task.attributes if name in attributes)
        sentences.append(wording.attributed.format(attributes=listed))
    if vocabulary := request.drawn.get("vocabulary"):
        sentences.append(wording.vocabulary.format(**vocabulary))
    return " ".join(sentences)


def check_prompts(task: Task, wording: Wording) -> None:
    """Raise ValueError if the prompts of a task cannot be filled.

    That is: an unknown or missing placeholder; an attribute, draw or word list without values, with a blank or a
    repeated one; a label's attribute value that the task does not list; a length range that is empty or below 1.
    """
    for origin, template, needed, optional in (
        (f"{task.name}: context", task.context, set(), set()),
        (f"{task.name}: generate", task.generate, {"label", *task.draws}, {"words"}),
        ("wording: diversity", wording.diversity, set(), set()),
        ("wording: imitation", wording.imitation, set(), set()),
        ("wording: attributed", wording.attributed, {"attributes"}, set()),
        ("wording: vocabulary", wording.vocabulary, set(_WORD_KINDS), set()),
        ("wording: outline", wording.outline, {"prompt"}, set()),
        ("wording: write", wording.write, set(_OUTLINE), set()),
        ("wording: grounded", wording.grounded, {"label"}, {"means"}),
        ("wording: verbalized", wording.verbalized, {"candidates"}, set()),
    ):
        found = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
        if unknown := sorted(found - needed - optional):
            raise ValueError(f"{origin} has unknown placeholder(s) {unknown}; allowed: {sorted(needed | optional)}")
        if missing := sorted(needed - found):
            raise ValueError(f"{origin} lacks placeholder(s) {missing}: {template!r}")
    if "{words}" in _LENGTH_CLAUSE.sub("", task.generate):
        raise ValueError(
            f"{task.name}: generate has {{words}} outside ' of about {{words}} words' or ' in about {{words}} words', "
            "which prompts without a length leave out"
        )
    for name, values in (*task.attributes.items(), *task.draws.items(), *wording.vocabulary_words.items()):
        _check_values(f"{task.name}: {name!r}", values)
    for label in task.labels:
        for name, values in task.labels[label].attributes.items():
            _check_values(f"{task.name}, {label}: {name!r}", values)
            if unknown := sorted(set(values) - set(task.attributes.get(name, []))):
                raise ValueError(f"{task.name}, {label}: {name!r} has {unknown}, not among the task's values")
    if not 1 <= task.words[0] <= task.words[1]:
        raise ValueError(f"{task.name}: words is {task.words}; it must be a range from 1 up")


def check_label(task: Task, setting: str, label: str, n: int) -> None:
    """Raise ValueError if the setting or label is unknown, n is below 1, or there are no attributes to draw."""
    if setting not in SETTINGS:
        raise ValueError(f"unknown setting {setting!r}; allowed: {', '.join(SETTINGS)}")
    if label not in task.labels:
        raise ValueError(f"{task.name} has no label {label!r}; its labels: {', '.join(task.labels)}")
    if n < 1:
        raise ValueError(f"n is {n}; requests count from 1")
    if setting in ATTRIBUTED_SETTINGS and not task.attributes:
        raise ValueError(f"{setting} requests draw attributes; {task.name} has none: give its file some")


def check_request(task: Task, request: Request) -> None:
    """Raise ValueError if a request does not fit its task; the message gives the value and the allowed ones."""
    check_label(task, request.setting, request.label, request.n)
    if (request.setting in SHOWING_SETTINGS) != bool(request.examples):
        raise ValueError(f"a {request.setting} request with {len(request.examples)} example(s)")
    if unknown := request.drawn.keys() - _DRAWN - task.draws.keys():
        allowed = sorted(_DRAWN | task.draws.keys())
        raise ValueError(f"{task.name}: a request draws {sorted(unknown)}; it may draw {allowed}")
    draws = {} if request.setting == "grounded" else task.draws
    if missing := draws.keys() - request.drawn.keys():
        raise ValueError(f"{task.name}: a request lacks {sorted(missing)}")
    chosen = {**request.drawn.get("attributes", {}), **{name: request.drawn[name] for name in draws}}
    allowed = {**task.attributes_of(request.label), **draws} if chosen else {}
    for name, value in chosen.items():
        if value not in allowed.get(name, []):
            raise ValueError(f"{task.name}: {name} is {value!r}; allowed: {allowed.get(name, list(allowed))}")
    words = request.drawn.get("vocabulary")
    if words is not None and (set(words) != set(_WORD_KINDS) or not all(words.values())):
        raise ValueError(f"a request's vocabulary is {words}; it needs a {', a '.join(_WORD_KINDS)}")
    outline = request.drawn.get("outline")
    if outline is not None and (set(outline) != set(_OUTLINE) or not all(outline.values())):
        raise ValueError(f"a request's outline is {outline}; it needs a {' and a '.join(_OUTLINE)}")


_MESSAGE = "white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 0 1em"


def render_html(chat: Sequence[Mapping[str, str]], *, limit: int) -> str:
    """Return messages as HTML to look at: everything escaped, control characters made visible, long ones cut.

    Parameters
    ----------
    limit : int
        Characters of a message that are shown.

    Examples
    --------
    >>> print(render_html([{"role": "user", "content": "<b>hi"}], limit=100))
    <p style="margin: 0"><b>user</b></p>
    <div style="white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 0 1em">&lt;b&gt;hi</div>
    """
    lines = []
    for message in chat:
        lines.append(f'<p style="margin: 0"><b>{html.escape(message["role"])}</b></p>')
        lines.append(f'<div style="{_MESSAGE}">{html.escape(clean(message["content"], limit))}</div>')
    return "\n".join(lines)


def clean(text: str, limit: int) -> str:
    r"""Return a text safe to print: control characters (ANSI codes among them) as �, the rest after ``limit`` cut.

    Examples
    --------
    >>> clean("a\x1b[31mred", 3)
    'a�[… (6 more characters)'
    """
    shown = _CONTROL.sub("�", text[:limit])
    return shown if len(text) <= limit else f"{shown}… ({len(text) - limit} more characters)"


def _show(key: str, texts: Mapping[str, str] | None) -> str:
    if texts is None:
        return f"⟨real training text {key}⟩"
    if key not in texts:
        raise ValueError(f"example {key!r} is not among the {len(texts)} real texts given")
    return texts[key]


def _check_values(origin: str, values: Sequence[str]) -> None:
    if not values or any(not value.strip() for value in values) or len(set(values)) != len(values):
        raise ValueError(f"{origin} has no value, a blank one or a repeated one: {list(values)}")
