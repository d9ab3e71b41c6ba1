"""How synthetic texts differ from real ones in ways that may explain their gap: form, style, spread and labels.

Everything is computed from feature tables, which hold no real text: function-word counts and surface measures stand for
style and vocabulary. All values are means over labels, so that unequal label shares of real texts do not count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.spatial.distance import jensenshannon

from synthlib.features import FeatureTable
from synthlib.surface import FUNCTION_WORDS

#: Names of the moderators, in the order shown; the same sign everywhere: higher = synthetic text is further from real.
NAMES = {
    "subjectivity": "subjectivity of the task",
    "formality": "formality difference",
    "length": "length difference",
    "function_words": "function-word distance",
    "marks": "marks distance",
    "shortcut": "style shortcut",
    "label_noise": "label noise",
    "disagreement": "uncorrected label noise",
    "coverage": "loss of coverage",
    "diversity": "fall of diversity",
}
MARKS = ("question", "exclamation", "final_stop", "hashtag", "mention", "digit", "emoji", "upper_share")

#: Word classes of :data:`synthlib.surface.FUNCTION_WORDS`; a contraction counts in both of its classes.
ARTICLES = "a an the".split()
PREPOSITIONS = "about after at before by for from in into of off on over through to under until up with without".split()
PRONOUNS = (
    "he her him his i i'm it it's its me my our she that's their them these they this those us we you your".split()
)
VERBS = """am are be been being can could did do does don't get got had has have i'm is it's should that's was were will
    would""".split()
ADVERBS = """again also always even ever here just never not now once only really so still then there too very
    yet""".split()


def score_formality(table: FeatureTable) -> float:
    """Return Heylighen and Dewaele's F of texts, over the function words that are counted.

    F is half of 100 plus the percentages of nouns, adjectives, prepositions and articles, minus those of pronouns,
    verbs, adverbs and interjections. Of these classes only closed ones can be counted without the texts: articles and
    prepositions against pronouns, auxiliary and other common verbs, and adverbs. So values are comparable with one
    another, not with published ones.

    Returns
    -------
    formality : float
        Higher is more formal; percentages are of all words of a label's texts, then averaged over labels.

    Raises
    ------
    ValueError
        There are no rows.

    References
    ----------
    Heylighen & Dewaele (1999), Formality of language: definition, measurement and behavioral determinants.

    Examples
    --------
    >>> from synthlib.surface import count_function_words
    >>> texts = ["the cat of the house", "i am not here now"]  # 3 of 5 words formal; 5 of 5 not
    >>> rows = pd.DataFrame({"label": ["x", "y"], "n_words": [5, 5]})
    >>> tables = [FeatureTable(rows[i:i + 1], None, count_function_words(texts)[i:i + 1]) for i in (0, 1)]
    >>> [score_formality(table) for table in tables]
    [80.0, 0.0]
    """
    position = {word: i for i, word in enumerate(FUNCTION_WORDS)}
    signs = np.zeros(len(FUNCTION_WORDS))
    for words, sign in ((ARTICLES, 1), (PREPOSITIONS, 1), (PRONOUNS, -1), (VERBS, -1), (ADVERBS, -1)):
        signs[[position[word] for word in words]] += sign
    values = [
        100 * (table.function_words[rows] @ signs).sum() / table.rows["n_words"].to_numpy()[rows].sum()
        for rows in _rows_by_label(table)
    ]
    return float((np.mean(values) + 100) / 2)


def compare_styles(real: FeatureTable, synthetic: FeatureTable) -> dict[str, float]:
    """Return how far synthetic texts are from real ones in form.

    Returns
    -------
    styles : dict
        formality_signed (:func:`score_formality`, synthetic minus real) and formality (its size); length_signed (log
        of mean words, synthetic over real) and length; function_words (Jensen-Shannon distance, base 2, of the two
        distributions of function words, 0 to 1); marks (mean difference in the share of texts that hold a mark, and in
        the share of capitals, 0 to 1). Each is a mean over labels.

    Raises
    ------
    ValueError
        The two tables have not the same labels, or a label has no function word.
    """
    pairs = _pair_labels(real, synthetic)
    signed = score_formality(synthetic) - score_formality(real)
    lengths = [[table.rows["n_words"].to_numpy()[rows].mean() for table, rows in pair] for pair in pairs]
    words, marks = [], []
    for pair in pairs:
        counts = [table.function_words[rows].sum(0, dtype=float) for table, rows in pair]
        if min(count.sum() for count in counts) == 0:
            raise ValueError("a label's texts hold none of the function words: no distribution to compare")
        words.append(jensenshannon(*counts, base=2))
        shares = [table.rows[list(MARKS)].to_numpy(dtype=float)[rows].mean(0) for table, rows in pair]
        marks.append(np.abs(shares[0] - shares[1]).mean())
    length = float(np.mean([np.log(b / a) for a, b in lengths]))
    return {
        "formality_signed": signed,
        "formality": abs(signed),
        "length_signed": length,
        "length": abs(length),
        "function_words": float(np.mean(words)),
        "marks": float(np.mean(marks)),
    }


def measure_label_noise(
    predicted: np.ndarray, asked: np.ndarray, predicted_test: np.ndarray, gold: np.ndarray
) -> dict[str, float]:
    """Return how often classifiers trained on real texts disagree with the label asked for, beyond their own errors.

    Parameters
    ----------
    predicted : ndarray of int, shape (S, N)
        Labels that S classifiers give to synthetic texts.
    asked : ndarray of int, shape (N,)
        Labels the texts were written for.
    predicted_test, gold : ndarray of int, shapes (S, T) and (T,)
        The same of real test texts, whose gold labels are known.

    Returns
    -------
    noise : dict
        disagreement (of synthetic texts), error (of real ones) and label_noise (their difference), fractions, means
        over labels and classifiers. Below 0 the synthetic texts are clearer than real ones.

    Examples
    --------
    >>> measure_label_noise(np.array([[0, 1, 1, 1]]), np.array([0, 0, 1, 1]), np.array([[0, 1]]), np.array([0, 1]))
    {'disagreement': 0.25, 'error': 0.0, 'label_noise': 0.25}
    """
    disagreement, error = (
        float(np.mean([(guesses[:, truth == label] != label).mean() for label in np.unique(truth)]))
        for guesses, truth in ((predicted, asked), (predicted_test, gold))
    )
    return {"disagreement": disagreement, "error": error, "label_noise": disagreement - error}


def read_measured(
    audit: pd.DataFrame, similarity: pd.DataFrame, diversity: pd.DataFrame, settings: Sequence[str]
) -> pd.DataFrame:
    """Return the moderators that earlier stages have measured on one task, one row per setting.

    Parameters
    ----------
    audit : DataFrame
        Of 02_generate: setting, measure, value.
    similarity, diversity : DataFrame
        Of 06_diversity, the rows of the task: source, reference or measure, value.

    Returns
    -------
    measured : DataFrame, indexed by setting
        shortcut (Macro-F1 of function words alone, synthetic minus real), coverage (cosine of real test texts to the
        nearest texts of a source, real minus synthetic), diversity (Chamfer distance, real minus synthetic).

    Raises
    ------
    ValueError
        A setting, or the real texts, have not been measured.
    """
    values = {
        "shortcut": audit[audit["measure"] == "function_words_f1"].set_index("setting")["value"],
        "coverage": similarity[similarity["reference"] == "coverage"].set_index("source")["value"],
        "diversity": diversity[diversity["measure"] == "chamfer"].set_index("source")["value"],
    }
    for name, found in values.items():
        absent = sorted({"real", *settings} - set(found.index))
        if absent:
            raise ValueError(f"{name} has not been measured of {absent}; it has {sorted(found.index)}")
    columns = {name: found["real"] - found[list(settings)] for name, found in values.items()}
    columns["shortcut"] = -columns["shortcut"]
    return pd.DataFrame(columns).rename_axis("setting")


def collect_gaps(metrics: pd.DataFrame, settings: Sequence[str]) -> pd.DataFrame:
    """Return the gap between real and synthetic training text, one row per setting, in points of Macro-F1.

    Parameters
    ----------
    metrics : DataFrame
        Of 03_train, one task: test_set, source, f1.

    Returns
    -------
    gaps : DataFrame, indexed by setting
        quality_gap (size-matched real minus the setting), gap (all real rows minus the setting).

    Raises
    ------
    ValueError
        A source was not trained.

    Examples
    --------
    >>> scores = {"real": 0.9, "real_matched": 0.8, "zero_shot": 0.5}
    >>> metrics = pd.DataFrame({"test_set": "test", "source": list(scores), "f1": scores.values()})
    >>> collect_gaps(metrics, ["zero_shot"]).round(6).values.tolist()
    [[30.0, 40.0]]
    """
    f1 = metrics[metrics["test_set"] == "test"].set_index("source")["f1"]
    absent = sorted({"real", "real_matched", *settings} - set(f1.index))
    if absent:
        raise ValueError(f"03_train has no scores of {absent}; it has {sorted(f1.index)}: add them to its sources")
    synthetic = f1[list(settings)]
    gaps = {"quality_gap": f1["real_matched"] - synthetic, "gap": f1["real"] - synthetic}
    return 100 * pd.DataFrame(gaps).rename_axis("setting")


def _rows_by_label(table: FeatureTable) -> list[np.ndarray]:
    if table.rows.empty:
        raise ValueError("no texts to measure")
    labels = table.rows["label"].to_numpy()
    return [np.flatnonzero(labels == label) for label in sorted(set(labels))]


def _pair_labels(
    real: FeatureTable, synthetic: FeatureTable
) -> list[tuple[tuple[FeatureTable, np.ndarray], tuple[FeatureTable, np.ndarray]]]:
    """Return for each label the rows of both tables."""
    found = [sorted(set(table.rows["label"])) for table in (real, synthetic)]
    if found[0] != found[1]:
        raise ValueError(f"real texts have labels {found[0]}, synthetic ones {found[1]}")
    rows = [[(table, rows) for rows in _rows_by_label(table)] for table in (real, synthetic)]
    return list(zip(*rows, strict=True))
