"""What came back: lengths, openings, variety, and the table in which every audit ends. Text statistics, no model.

Most functions measure each text; :func:`summarise` makes of any such frame the tidy table of an audit: setting, label
(``all``: all labels together), measure, value, value_low, value_high.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from synthlib import surface
from synthlib.intervals import mean_interval, share_interval

ALL = "all"
COLUMNS = ["setting", "label", "measure", "value", "value_low", "value_high"]

#: Heads of columns of a table to read, for the measures of this module.
TITLES = {
    "exact_duplicate": "exact duplicates (%)",
    "near_duplicate": "near duplicates (%)",
    "near_duplicate_other_label": "near duplicates of another label (%)",
    "nearest_cosine": "cosine to the nearest text",
    "test_copy": "copies of test rows (%)",
    "test_cosine": "cosine to the nearest test row",
    "written_words": "words written",
    "length_ratio": "written / asked for",
    "length_kept": "length kept (%)",
    "first_word": "commonest first word (%)",
    "first_two_words": "commonest first two words (%)",
    "first_word_entropy": "entropy of first words (bits)",
    "distinct_1": "distinct words (%)",
    "distinct_2": "distinct word pairs (%)",
    "example_cosine": "cosine to the nearest shown text",
    "other_cosine": "to the nearest of as many others",
    "example_excess": "difference",
    "example_copy": "copies of shown texts (%)",
    "attribute_kept": "checkable attributes kept (%)",
    "vocabulary_held": "all three drawn words used (%)",
    "label_agreed": "asked label confirmed (%)",
    "function_words_f1": "told by function words, same source",
    "function_words_to_real_f1": "told by function words, on real texts",
}


def summarise(
    texts: pd.DataFrame, measures: Sequence[str], *, confidence: float, cluster: str | None = None
) -> pd.DataFrame:
    """Return each measure by setting and label, and over all labels of a setting.

    Parameters
    ----------
    texts : DataFrame
        One row per text: setting, label, and the measures. A missing value leaves the text out; a group without any
        value has no row.
    measures : sequence of str
        Columns of ``texts``: truth values become shares with Wilson's interval, numbers means with Student's.
    cluster : str, optional
        Column that names what texts share where they are not independent. A mean is then one over the clusters' means;
        a share is not changed.

    Returns
    -------
    audit : DataFrame
        Columns :data:`COLUMNS`.
    """
    rows = []
    for setting, part in texts.groupby("setting", sort=False):
        groups = [(ALL, part), *part.groupby("label", sort=False)]
        for (label, group), measure in ((pair, name) for pair in groups for name in measures):
            kept = group.dropna(subset=[measure])
            if kept.empty:
                continue
            if pd.api.types.is_bool_dtype(kept[measure]):
                interval = share_interval(kept[measure].sum(), len(kept), confidence=confidence)
            else:
                values = kept[measure] if cluster is None else kept.groupby(cluster)[measure].mean()
                interval = mean_interval(values.to_numpy(dtype=float), confidence=confidence)
            rows.append((setting, label, measure, *interval))
    return pd.DataFrame(rows, columns=COLUMNS)


def compare_lengths(corpus: pd.DataFrame, *, tolerance: float) -> pd.DataFrame:
    """Return the length of each text beside the one asked for, in white-space separated words.

    Returns
    -------
    lengths : DataFrame
        key, setting, label, requested_words, written_words, length_ratio (written / requested) and length_kept (whether
        the ratio is within ``tolerance`` of 1); all but written_words are missing where the request had no length.
    """
    requested = pd.Series([json.loads(request).get("words") for request in corpus["request"]], dtype="Float64")
    lengths = corpus[["key", "setting", "label"]].reset_index(drop=True)
    lengths = lengths.assign(requested_words=requested, written_words=corpus["n_words"].to_numpy())
    lengths["length_ratio"] = lengths["written_words"] / lengths["requested_words"]
    lengths["length_kept"] = (lengths["length_ratio"] - 1).abs() <= tolerance + 1e-9
    return lengths


def find_openings(corpus: pd.DataFrame) -> pd.DataFrame:
    """Return key, setting, label, first_word and first_two_words of each text (lower case; empty if it has no word)."""
    words = [surface.words(text)[:2] for text in corpus["text"]]
    openings = corpus[["key", "setting", "label"]].reset_index(drop=True)
    return openings.assign(first_word=[" ".join(w[:1]) for w in words], first_two_words=[" ".join(w) for w in words])


def audit_openings(openings: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Return how concentrated openings are (table of :func:`find_openings`).

    Measures: first_word and first_two_words (share of texts with the commonest one, Wilson's interval), and
    first_word_entropy (bits; no interval; it grows with the number of texts, so compare at equal numbers).
    """
    rows = []
    for setting, part in openings.groupby("setting", sort=False):
        for label, group in [(ALL, part), *part.groupby("label", sort=False)]:
            for measure in ("first_word", "first_two_words"):
                counts = group[measure].value_counts()
                interval = share_interval(counts.iloc[0], len(group), confidence=confidence)
                rows.append((setting, label, measure, *interval))
            bits = float(stats.entropy(group["first_word"].value_counts(), base=2))
            rows.append((setting, label, "first_word_entropy", bits, math.nan, math.nan))
    return pd.DataFrame(rows, columns=COLUMNS)


def distinct_n(texts: Sequence[str], n: int, *, n_tokens: int, rng: np.random.Generator) -> float:
    """Return the share of distinct n-grams among the first ``n_tokens`` words of the texts in random order.

    N-grams do not cross texts. The share falls as words are added, so compare at equal ``n_tokens``.

    Raises
    ------
    ValueError
        The texts hold fewer words, or no n-gram.

    Examples
    --------
    >>> distinct_n(["a b a b"], 1, n_tokens=4, rng=np.random.default_rng(0))
    0.5

    References
    ----------
    Li et al. (2016), A Diversity-Promoting Objective Function for Neural Conversation Models, section 5.
    """
    grams, left = Counter(), n_tokens
    for position in rng.permutation(len(texts)):
        tokens = surface.words(texts[position])[:left]
        grams.update(zip(*(tokens[i:] for i in range(n)), strict=False))
        left -= len(tokens)
        if left == 0:
            break
    if left or not grams:
        raise ValueError(f"{len(texts)} text(s) hold {n_tokens - left} words; {n_tokens} are asked for, n is {n}")
    return len(grams) / grams.total()


def audit_variety(corpus: pd.DataFrame, *, n_draws: int, confidence: float, rng: np.random.Generator) -> pd.DataFrame:
    """Return distinct_1 and distinct_2 of each setting over an equal number of words.

    That number is half the words of the setting with the fewest. A value is the mean over ``n_draws`` random orders of
    the texts; low and high bound the middle ``confidence`` share of them.
    """
    groups = {setting: part["text"].tolist() for setting, part in corpus.groupby("setting", sort=False)}
    n_tokens = min(sum(len(surface.words(text)) for text in texts) for texts in groups.values()) // 2
    rows = []
    for setting, texts in groups.items():
        for n in (1, 2):
            if n_tokens < n:  # a setting without words: nothing to compare
                rows.append((setting, ALL, f"distinct_{n}", np.nan, np.nan, np.nan))
                continue
            values = [distinct_n(texts, n, n_tokens=n_tokens, rng=rng) for _ in range(n_draws)]
            low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
            rows.append((setting, ALL, f"distinct_{n}", float(np.mean(values)), float(low), float(high)))
    return pd.DataFrame(rows, columns=COLUMNS)


def tabulate(audit: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """Return measures over all labels as a table to read: a row per setting, cells such as ``4.1 (3.0 to 5.7)``.

    Heads are :data:`TITLES`; where one ends on ``(%)``, values are times 100. A missing value is a dash.
    """
    cells = {}
    for row in audit[(audit["label"] == ALL) & audit["measure"].isin(measures)].itertuples():
        title = TITLES[row.measure]
        scale, digits = (100, 1) if title.endswith("(%)") else (1, 2)
        value, low, high = (scale * x for x in (row.value, row.value_low, row.value_high))
        interval = f" ({low:.{digits}f} to {high:.{digits}f})" if math.isfinite(low) else ""
        cells.setdefault(row.setting, {})[title] = f"{value:.{digits}f}{interval}"
    return pd.DataFrame.from_dict(cells, orient="index", columns=[TITLES[name] for name in measures]).fillna("–")
