"""Surface features of texts: numbers about form (length, marks, function words) that hold no content.

They are shipped for the real texts beside the encoder features, so that style can be audited where the texts cannot be.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

FUNCTION_WORDS: tuple[str, ...] = tuple(
    """a about after again all also always am an and any are as at be because been before being but by can could did
    do does don't down even ever every few for from get got had has have he her here him his how i i'm if in into is
    it it's its just like many me more most much my never no not now of off on once one only or other our out over
    own really she should so some still such than that that's the their them then there these they this those though
    through to too under until up us very was we well were what when where which while who why will with without
    would yet you your""".split()
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_ENGLISH = re.compile(r"[a-z]+(?:['’][a-z]+)*")
_IRONY_TAG = re.compile(r"#(?:irony|sarcasm|not)\b", re.IGNORECASE)
#: An emoji; flags are not among them, as in the measures of the shipped tables.
EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf]")
_MARKS = {  # what a text above 0 has, and one at 0
    "question": ("question mark", "no question mark"),
    "exclamation": ("exclamation mark", "no exclamation mark"),
    "final_stop": ("ends with a full stop, ! or ?", "ends without a full stop, ! or ?"),
    "hashtag": ("hashtag", "no hashtag"),
    "mention": ("@mention", "no @mention"),
    "digit": ("digit", "no digit"),
    "emoji": ("emoji", "no emoji"),
}
_COUNTS = {"n_words": "words", "n_chars": "characters"}


def words(text: str) -> list[str]:
    """Return the lower-case words of a text: runs of letters, of any script, with inner apostrophes.

    Examples
    --------
    >>> words("It's NOT a dog's café, 24/7.")
    ["it's", 'not', 'a', "dog's", 'café']
    """
    return _WORD.findall(text.lower().replace("’", "'"))


def count_function_words(texts: Sequence[str]) -> np.ndarray:
    """Return how often each of :data:`FUNCTION_WORDS` occurs in each text.

    Returns
    -------
    counts : ndarray of uint8, shape (N, W)
        N texts by W function words; counts above 255 are put down as 255.
    """
    counts = np.zeros((len(texts), len(FUNCTION_WORDS)), dtype=np.uint8)
    for row, text in enumerate(texts):
        seen = Counter(_ENGLISH.findall(text.lower().replace("’", "'")))
        counts[row] = [min(seen[word], 255) for word in FUNCTION_WORDS]
    return counts


def measure_surface(texts: Sequence[str]) -> pd.DataFrame:
    """Return form measures, one row per text.

    Returns
    -------
    surface : DataFrame
        n_words (white-space separated), n_chars, question and exclamation (holds the mark: 0 or 1),
        final_stop (ends on ``.``, ``!`` or ``?``), hashtag, mention, digit, emoji (0/1), upper_share (share of letters
        in capitals; 0 where there is no letter).

    Examples
    --------
    >>> measure_surface(["Why? #Now"])[["n_words", "question", "final_stop", "hashtag"]].values.tolist()
    [[2, 1, 0, 1]]
    """
    rows = []
    for text in texts:
        letters = [c for c in text if c.isalpha()]
        rows.append(
            {
                "n_words": len(text.split()),
                "n_chars": len(text),
                "question": int("?" in text),
                "exclamation": int("!" in text),
                "final_stop": int(text.rstrip()[-1:] in set(".!?")),
                "hashtag": int(re.search(r"#\w", text) is not None),
                "mention": int(re.search(r"@\w", text) is not None),
                "digit": int(re.search(r"\d", text) is not None),
                "emoji": int(EMOJI.search(text) is not None),
                "upper_share": float(np.mean([c.isupper() for c in letters])) if letters else 0.0,
            }
        )
    return pd.DataFrame(rows)


def say_mark(measure: str, threshold: float, side: str) -> str:
    """Return a rule on a measure of :func:`measure_surface` in words.

    Parameters
    ----------
    measure : str
        Its name.
    threshold : float
        Where it is cut.
    side : str
        Which values are meant: ``above`` the threshold, or ``up to`` it.

    Examples
    --------
    >>> say_mark("digit", 0, "up to"), say_mark("n_chars", 1090, "above"), say_mark("upper_share", 0.0291, "up to")
    ('no digit', 'more than 1,090 characters', 'at most 2.9% capitals')
    """
    if measure in _MARKS:
        return _MARKS[measure][side == "up to"]
    amount = f"{100 * threshold:.1f}% capitals" if measure == "upper_share" else f"{threshold:,.0f} {_COUNTS[measure]}"
    return f"{'more than' if side == 'above' else 'at most'} {amount}"


def find_irony_tags(texts: Sequence[str]) -> np.ndarray:
    """Return whether each text holds #irony, #sarcasm or #not: the tags that give TweetEval's irony labels away.

    Examples
    --------
    >>> find_irony_tags(["so happy #Not", "#nothing to see"]).tolist()
    [True, False]
    """
    return np.array([_IRONY_TAG.search(text) is not None for text in texts], dtype=bool)


def drop_irony_tags(texts: Sequence[str]) -> list[str]:
    """Return the texts without #irony, #sarcasm and #not, runs of white space made one blank.

    Examples
    --------
    >>> drop_irony_tags(["so  happy #Not!", "#nothing to see"])
    ['so happy !', '#nothing to see']
    """
    return [" ".join(_IRONY_TAG.sub(" ", text).split()) for text in texts]
