"""What a study asks about: cards of tasks for pairs, texts of a test set for instances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from synthlib import data, features
from synthlib.crowd.study import Card, Choice, Example
from synthlib.tasks import Task, load_task, own_files

#: Who wrote the texts, by source.
TEXTS_FROM = {
    "features": "a language model (released zero-shot texts, for want of real ones)",
    "folder": "the real texts of the user's folder",
    "hub": "the real texts of the public copy",
}
_EXAMPLES_FROM = {
    "features": "Examples written by a language model.",
    "folder": "Real examples.",
    "hub": "Real examples.",
}
MOST_WORDS = 40  # of an example on a card; longer ones are cut, with an ellipsis


@dataclass(frozen=True)
class CheckCard:
    """Two made-up tasks, of which one is plainly the more objective."""

    objective: Card
    subjective: Card


def find_source(task: str, source: str) -> str:
    """Return where a task's texts come from: for a task of one's own nothing is shipped, so features means folder."""
    return "folder" if source == "features" and task in own_files() else source


def load_task_texts(task: Task, source: str) -> pd.DataFrame:
    """Return texts of a task: key, text, label, split, evaluation; released zero-shot texts where source is features.

    Raises
    ------
    ValueError, FileNotFoundError
        The real texts cannot be read (:func:`synthlib.features.load_texts`).
    """
    if source != "features":
        return features.load_texts(task.name, source)[["key", "text", "label", "split", "evaluation"]]
    corpus = data.load_corpus(task, ["zero_shot"])
    return corpus[["key", "text", "label"]].assign(split="test", evaluation=False)


def make_card(task: Task, texts: pd.DataFrame, *, source: str, rng: np.random.Generator) -> Card:
    """Return what a worker sees of a task: question, labels and one drawn example per label.

    Examples are not from the test split where the texts have another one.

    Raises
    ------
    ValueError
        A label has no text.
    """
    texts = texts[texts["split"] != "test"] if (texts["split"] != "test").any() else texts
    examples = []
    for label in task.label_names:
        of_label = texts.loc[texts["label"] == label, "text"].tolist()
        if not of_label:
            raise ValueError(f"{task.name}: no text of label {label!r} for an example")
        text = shorten(of_label[int(rng.integers(len(of_label)))], MOST_WORDS)
        examples.append(Example(say=task.labels[label].say, text=text))
    return Card(
        name=task.name,
        title=task.title,
        question=task.question,
        choices=make_choices(task),
        examples=examples,
        examples_from=_EXAMPLES_FROM[source],
    )


def make_choices(task: Task) -> list[Choice]:
    """Return a task's labels as workers see them."""
    return [Choice(label=name, say=label.say, means=label.means) for name, label in task.labels.items()]


def shorten(text: str, most_words: int) -> str:
    """Return a text cut after so many words, with an ellipsis where it was longer.

    Examples
    --------
    >>> shorten("one two three", 2), shorten("one two", 2)
    ('one two …', 'one two')
    """
    words = text.split()
    return " ".join(words[:most_words]) + (" …" if len(words) > most_words else "")


def pick_texts(task: Task, texts: pd.DataFrame, *, n_per_label: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return so many drawn test texts per label: key, text, label.

    Rows marked for the instance study (``evaluation``) come first, so that votes meet the released predictions.

    Raises
    ------
    ValueError
        A label has fewer test texts.
    """
    tested = texts[texts["split"] == "test"]
    tested = tested.iloc[rng.permutation(len(tested))].sort_values("evaluation", ascending=False, kind="stable")
    picked = tested.groupby("label").head(n_per_label)
    counts = picked["label"].value_counts().reindex(task.label_names, fill_value=0)
    if counts.min() < n_per_label:
        raise ValueError(
            f"{task.name}: {counts.min()} test texts of label {counts.idxmin()!r}; n_per_label is {n_per_label}"
        )
    return picked[["key", "text", "label"]].sort_values("key", ignore_index=True)


def make_check_cards() -> list[CheckCard]:
    """Return the pairs of made-up tasks that attention checks draw from."""
    return [
        CheckCard(
            _check_card("digits", "Messages with a digit", "Does the message contain a digit from 0 to 9?",
                        [("digit", "contains a digit", "See you at 7."), ("none", "no digit", "See you later.")]),
            _check_card("favourites", "Favourite colours", "Is this the most beautiful colour there is?",
                        [("yes", "most beautiful", "A soft dark green."), ("no", "not the most beautiful", "Orange.")]),
        ),
        CheckCard(
            _check_card("lengths", "Long and short words", "Does the word have more than five letters?",
                        [("long", "more than five letters", "elephant"), ("short", "five letters or fewer", "cat")]),
            _check_card("dinners", "Your ideal dinner", "Would you personally enjoy this dinner?",
                        [("yes", "I would enjoy it", "Grilled fish with lemon."), ("no", "would not", "Onion soup.")]),
        ),
    ]  # fmt: skip


def _check_card(name: str, title: str, question: str, labels: list[tuple[str, str, str]]) -> Card:
    return Card(
        name=name,
        title=title,
        question=question,
        choices=[Choice(label=label, say=say, means=say) for label, say, _ in labels],
        examples=[Example(say=say, text=text) for _, say, text in labels],
        examples_from="Made-up examples.",
    )


def make_check_text(choice: Choice) -> str:
    """Return a text that tells its reader what to answer."""
    return (
        "This text is here to see that texts are read to their end. Please do not judge it; to show that you have "
        f"read this, choose “{choice.say}”."
    )


def load_cards(names: list[str], *, source: str, rng: np.random.Generator) -> list[Card]:
    """Return the cards of several tasks (:func:`make_card`), each with texts of its own source (find_source)."""
    cards = []
    for name in names:
        task, own = load_task(name), find_source(name, source)
        cards.append(make_card(task, load_task_texts(task, own), source=own, rng=rng))
    return cards
