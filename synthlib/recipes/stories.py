"""Texts after the recipes of TinyStories and Phi-1: what was drawn for each, and whether the text holds it.

A recipe draws what a request asks for. TinyStories (Eldan & Li 2023, section 2) draws a verb, a noun and an adjective,
and a random subset of story features; its hierarchical form first has a summary and a sentence written, then the story.
Phi-1 (Gunasekar et al. 2023) draws the topic and the audience of a textbook passage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from synthlib import data, diversity, surface
from synthlib.corpus.compliance import holds_word
from synthlib.features import FeatureTable
from synthlib.intervals import share_interval

FORMS = ("direct", "hierarchical")
TEXTBOOK = "textbook"
RECIPES = (*FORMS, TEXTBOOK)
FEATURES = ("dialogue", "twist", "bad_ending", "moral", "foreshadowing", "conflict")
AUDIENCES = ("high_school", "undergraduate", "graduate")
WORD_KINDS = ("verb", "noun", "adjective")
#: Share of the TinyStories that contain :data:`ONCE`, as reported in arXiv 2504.09184; measured there, not here.
TINYSTORIES_ONCE = 0.59
ONCE = "once upon a time"
_QUOTATION_MARKS = frozenset('"“”„«»')


def load_recipes() -> pd.DataFrame:
    """Return the released texts of all recipes.

    Returns
    -------
    texts : DataFrame
        key (``recipe/n``), recipe (of :data:`RECIPES`), text, request (dict: what was drawn), summary and sentence
        (what the first call of a hierarchical story wrote; missing elsewhere).
    """
    stories = data.load_stories("stories").rename(columns={"form": "recipe"})
    texts = pd.concat([stories, data.load_stories("textbook").assign(recipe=TEXTBOOK)], ignore_index=True)
    texts["key"] = texts["recipe"] + "/" + texts["n"].astype(str)
    return texts[["key", "recipe", "text", "request", "summary", "sentence"]]


def mark_features(requests: Sequence[Mapping]) -> pd.DataFrame:
    """Return which story features each request draws: a column a feature of :data:`FEATURES`, true or false.

    Raises
    ------
    ValueError
        A request draws an unknown feature.

    Examples
    --------
    >>> mark_features([{"features": ["moral", "twist"]}]).values.tolist()
    [[False, True, False, True, False, False]]
    """
    for request in requests:
        if unknown := sorted(set(request["features"]) - set(FEATURES)):
            raise ValueError(f"a request draws feature(s) {unknown}; known are {', '.join(FEATURES)}")
    return pd.DataFrame([[name in request["features"] for name in FEATURES] for request in requests], columns=FEATURES)


def describe_draws(texts: pd.DataFrame) -> pd.DataFrame:
    """Return how many values each recipe drew from, and how often the commonest came.

    Returns
    -------
    draws : DataFrame
        recipe, drawn (verb, noun, adjective, features: the subset; topic, audience; all: the whole draw), texts,
        different (values that occur), most (texts with the commonest one).
    """
    rows = []
    for recipe, part in texts.groupby("recipe", sort=False):
        drawn = _list_draws(part["request"])
        drawn["all"] = drawn.agg(" | ".join, axis=1)
        for name in drawn:
            counts = drawn[name].value_counts()
            rows.append((recipe, name, len(part), len(counts), int(counts.iloc[0])))
    return pd.DataFrame(rows, columns=["recipe", "drawn", "texts", "different", "most"])


def _list_draws(requests: Sequence[Mapping]) -> pd.DataFrame:
    drawn = pd.DataFrame(list(requests))
    if "features" in drawn:
        drawn["features"] = drawn["features"].map(lambda names: " + ".join(sorted(names)))
    return drawn


def make_table(texts: pd.DataFrame, vectors: np.ndarray) -> FeatureTable:
    """Return texts with their surface measures, function words and encoder vectors (N, D), aligned row by row."""
    written = texts["text"].tolist()
    rows = pd.concat([texts.reset_index(drop=True), surface.measure_surface(written)], axis=1)
    return FeatureTable(rows, np.asarray(vectors, dtype=np.float32), surface.count_function_words(written))


def measure_pulls(table: FeatureTable, *, n_permutations: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return how much nearer two texts of a recipe lie if their requests drew the same.

    Returns
    -------
    pulls : DataFrame
        recipe, drawn (verb, noun, adjective, features: the same subset; topic, audience), pairs (of texts that drew the
        same), together and apart (mean cosine distance of these and of the other pairs), pull (apart - together), p
        (one-sided, by dealing the requests out to the texts at random ``n_permutations`` times). A draw that no two
        requests share is left out.
    """
    rows = []
    for recipe, places in table.rows.groupby("recipe", sort=False).indices.items():
        unit = diversity.normalise(table.features[places])
        upper = np.triu_indices(len(places), 1)
        distances = 1 - unit @ unit.T
        drawn = _list_draws(table.rows["request"].iloc[places])
        for name in drawn:
            codes = pd.factorize(drawn[name])[0]
            same = (codes[:, None] == codes)[upper]
            if same.any() and not same.all():
                shuffled = [_pull(distances[o][:, o][upper], same) for o in _deal(len(codes), n_permutations, rng)]
                here = distances[upper]
                p = (1 + np.sum(np.array(shuffled) >= _pull(here, same))) / (1 + n_permutations)
                together, apart = here[same].mean(), here[~same].mean()
                rows.append((recipe, name, int(same.sum()), together, apart, apart - together, p))
    return pd.DataFrame(rows, columns=["recipe", "drawn", "pairs", "together", "apart", "pull", "p"])


def _pull(distances: np.ndarray, same: np.ndarray) -> float:
    return float(distances[~same].mean() - distances[same].mean())


def _deal(n: int, times: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    return (rng.permutation(n) for _ in range(times))


def has_quotation_mark(text: str) -> bool:
    """Return whether a text holds a double quotation mark: the rule by which a story has dialogue.

    Examples
    --------
    >>> has_quotation_mark('"Go," said Lily.'), has_quotation_mark("It's the dogs' ball.")
    (True, False)
    """
    return not _QUOTATION_MARKS.isdisjoint(text)


def holds_sentence(text: str, sentence: str) -> bool:
    """Return whether a text holds a sentence word for word; case, marks and white space do not count.

    Examples
    --------
    >>> holds_sentence('Then it rained.  "The hat, it is WET!" he said.', "The hat, it is wet.")
    True
    """
    return f" {' '.join(surface.words(sentence))} " in f" {' '.join(surface.words(text))} "


def check_stories(stories: pd.DataFrame) -> pd.DataFrame:
    """Return for each story what was asked for and is there.

    Returns
    -------
    checked : DataFrame
        key, recipe, n_words, verb_held, noun_held, adjective_held, vocabulary_held (all three, in any form of the
        word), sentence_held (missing where no sentence was asked for), dialogue_asked, quotation_held.
    """
    rows = []
    for row in stories.itertuples():
        held = {f"{kind}_held": holds_word(row.text, row.request[kind]) for kind in WORD_KINDS}
        rows.append(
            {"key": row.key, "recipe": row.recipe, "n_words": len(row.text.split())}
            | held
            | {"vocabulary_held": all(held.values())}
            | {"sentence_held": holds_sentence(row.text, row.sentence) if isinstance(row.sentence, str) else None}
            | {"dialogue_asked": "dialogue" in row.request["features"], "quotation_held": has_quotation_mark(row.text)}
        )
    return pd.DataFrame(rows).astype({"sentence_held": "boolean"})


def count_kept(checked: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Return how often each checkable wish was kept (table of :func:`check_stories`).

    Returns
    -------
    kept : DataFrame
        recipe, wish (words by kind, all three words, sentence, dialogue; ``no dialogue``: a quotation mark although
        none was asked for), texts (asked so), kept, kept_low, kept_high (share of them, Wilson's interval).
    """
    rows = []
    for recipe, part in checked.groupby("recipe", sort=False):
        asked = part["dialogue_asked"]
        wishes = {name.removesuffix("_held"): part[name] for name in part if name.endswith("_held")}
        del wishes["quotation"]
        wishes |= {"dialogue": part["quotation_held"][asked], "no dialogue": ~part["quotation_held"][~asked]}
        for wish, held in wishes.items():
            held = held.dropna()
            if len(held):
                interval = share_interval(int(held.sum()), len(held), confidence=confidence)
                rows.append((recipe, wish, len(held), *interval))
    return pd.DataFrame(rows, columns=["recipe", "wish", "texts", "kept", "kept_low", "kept_high"])
