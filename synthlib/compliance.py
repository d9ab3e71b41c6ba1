"""Did the texts do what was asked? Drawn words by their stem, drawn attributes by rules where a rule can tell.

A rule is a mark that a text with the attribute should bear, no proof that it has it. So the share of texts that bear
the mark stands beside the share among texts for which another value was drawn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache

import pandas as pd
import snowballstemmer

from synthlib import surface
from synthlib.audit import share_interval

_STEMMER = snowballstemmer.stemmer("english")
_IRREGULAR_FORMS = """
    bite bit bitten, break broke broken, bring brought, build built, buy bought, catch caught, choose chose chosen,
    come came, dig dug, draw drew drawn, drink drank drunk, drive drove driven, eat ate eaten, fall fell fallen,
    feed fed, fight fought, find found, fly flew flown, forget forgot forgotten, freeze froze frozen, give gave given,
    go went gone, grow grew grown, hear heard, hide hid hidden, hold held, keep kept, know knew known, lead led,
    leave left, lose lost, make made, meet met, pay paid, ride rode ridden, ring rang rung, rise rose risen, run ran,
    say said, see saw seen, sell sold, send sent, shake shook shaken, shrink shrank shrunk, sing sang sung,
    sink sank sunk, sit sat, sleep slept, slide slid, speak spoke spoken, spend spent, spin spun, stand stood,
    steal stole stolen, stick stuck, sweep swept, swim swam swum, swing swung, take took taken, teach taught,
    tear tore torn, tell told, think thought, throw threw thrown, wake woke woken, wear wore worn, win won,
    write wrote written, good better best, bad worse worst, neighbour neighbor neighbors, harbour harbor harbors,
    bus buses busses
"""
_IRREGULAR = {
    form: forms[0] for forms in (entry.split() for entry in _IRREGULAR_FORMS.split(",")) for form in forms[1:]
}
_ENDINGS = (("iest", "y"), ("ier", "y"), ("ily", "y"), ("est", ""), ("est", "e"), ("er", ""), ("er", "e"))
_QUOTED = re.compile("[\"“”„«»]|(?:^|\\s)['‘]\\w.*?\\w[,.!?]?['’](?:\\W|$)")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_EMOJI = re.compile("[\U0001f1e6-\U0001faff\u2600-\u27bf]")
_EMOTICON = re.compile(r"[:;=8xX][-'o^]?[()DPpdO|/\\3*]|<3|\^_?\^|[()]-?[:;]|T_T|\bx[dD]\b")
_SINGLISH = re.compile(r"\b(?:lah|leh|lor|meh|hor|sia|liao|mah|lar|la|ah|ar|eh|wor|hah)\b", re.IGNORECASE)
_NO_VOWEL = re.compile(
    r"\b(?!(?:tv|mr|mrs|dr|st|pm|sms|hmm|mm|shh|cd|dvd|km|kg|gp|pc)\b)[b-df-hj-np-tv-xz]{2,}\b|\b[ur]\b"
)


def _search(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.search(pattern, text, re.IGNORECASE) is not None


def _count_sentences(text: str) -> int:
    return len(re.findall(r"[^.!?…]*\w[^.!?…]*(?:[.!?…]+(?=[\s\"”'’)]|$)|$)", text))


def _numbers(text: str) -> int:
    return len(_NUMBER.findall(_YEAR.sub(" ", text)))


def _capitals(text: str) -> float:
    letters = [letter for letter in text if letter.isalpha()]
    return sum(letter.isupper() for letter in letters) / max(len(letters), 1)


#: What a text with the attribute value should bear. Values without a rule are not checked.
RULES: dict[str, Callable[[str], bool]] = {
    "with hashtags": _search(r"#\w"),
    "hashtag carries the point": _search(r"#\w"),
    "no hashtag": lambda text: "#" not in text,
    "to a named account": _search(r"@\w"),
    "emoji-heavy": lambda text: len(_EMOJI.findall(text)) >= 2,
    "a question": lambda text: "?" in text,
    "question": lambda text: "?" in text,
    "rhetorical question": lambda text: "?" in text,
    "question and answer": _search(r"\?[\"”'’)]*\s+\S"),
    "a quotation": lambda text: _QUOTED.search(text) is not None,
    "quotation": lambda text: _QUOTED.search(text) is not None,
    "quote then reaction": _search("^\\s*(?:>|[\"“'‘])"),
    "one long breathless sentence": lambda text: _count_sentences(text) == 1,
    "fragments": lambda text: _count_sentences(text) >= 2,
    "two short sentences": lambda text: _count_sentences(text) == 2,
    "all lower case": lambda text: text == text.lower(),
    "with an edit at the end": _search(r"\bedit\b"),
    "shouting capitals": lambda text: _capitals(text) >= 0.8,
    "enthusiastic with capitals": _search(r"(?-i:\b[A-Z]{3,}\b)"),
    "emoticons": lambda text: bool(_EMOTICON.search(text) or _EMOJI.search(text)),
    "textspeak with dropped vowels": lambda text: _NO_VOWEL.search(text.lower()) is not None,
    "Singlish particles": lambda text: _SINGLISH.search(text) is not None,
    "bar joke": _search(r"\b(?:bar|pub|bartender|barman|barmaid)\b"),
    "how-to or list": _search(r"^\W*(?:how|\d+|\w+ (?:ways|things|reasons|tips|signs))\b"),
    "survey result": _search(r"survey|poll|percent|%|\b(?:in|of) \d+\b|study|respondents"),
    "Associated Press style with a dateline": _search(r"^(?-i:[A-Z]{2}).{0,60}?(?:\(AP\)|--|[—–]| - )"),
    "survey or figures": _search(r"\d"),
    "no figures": lambda text: re.search(r"\d", text) is None,
    "one figure": lambda text: _numbers(text) == 1,
    "two figures compared": lambda text: _numbers(text) >= 2,
    "percentages": _search(r"%|per ?cent"),
    "euro amounts": _search(r"€|\beuros?\b|\bEUR\b"),
    "sentence with a parenthesis": _search(r"\(.+\)"),
    "undated": lambda text: _YEAR.search(text) is None,
    "the 19th century": _search(r"\b18\d\d|19th|nineteenth"),
    "the 1920s-1940s": _search(r"\b19[234]\d"),
    "the 1950s-1970s": _search(r"\b19[567]\d"),
    "the 1980s-1990s": _search(r"\b19[89]\d"),
    "the 2000s": _search(r"\b200\d"),
}


@lru_cache(maxsize=100_000)
def find_stems(word: str) -> frozenset[str]:
    """Return the stems a word may be a form of: its own, its base's if irregular, its positive's if a comparative.

    Examples
    --------
    >>> sorted(find_stems("froze")), sorted(find_stems("rustier") & find_stems("rusty"))
    (['freez', 'froze'], ['rusti'])

    References
    ----------
    Porter (2001), Snowball: A language for stemming algorithms.
    """
    bases = {word, _IRREGULAR.get(word.removesuffix("'s"), word)}
    bases |= {word.removesuffix(old) + new for old, new in _ENDINGS if word.endswith(old) and len(word) > len(old) + 2}
    return frozenset(_STEMMER.stemWords(sorted(bases)))


def holds_word(text: str, word: str) -> bool:
    """Return whether a text holds a word in any form: inflected, or derived as far as Snowball's stem goes.

    A spelling with dropped vowels or a typo does not count, so shares are lower bounds.

    Examples
    --------
    >>> holds_word("She FROZE the neighbor's onions.", "freeze"), holds_word("Freezer!", "steal")
    (True, False)
    """
    stems = find_stems(word)
    return any(stems & find_stems(found) for found in surface.words(text))


def check_vocabulary(corpus: pd.DataFrame) -> pd.DataFrame:
    """Return for each text with drawn words whether it holds them.

    Returns
    -------
    checked : DataFrame
        key, setting, label, verb_held, noun_held, adjective_held, vocabulary_held (all three), missing (those not held,
        joined by a space). Empty where no request drew words.
    """
    rows = []
    for row in corpus.itertuples():
        words = json.loads(row.request).get("vocabulary")
        if words:
            held = {f"{kind}_held": holds_word(row.text, words[kind]) for kind in ("verb", "noun", "adjective")}
            missing = " ".join(words[name.removesuffix("_held")] for name, found in held.items() if not found)
            found = {"key": row.key, "setting": row.setting, "label": row.label, **held}
            rows.append(found | {"vocabulary_held": all(held.values()), "missing": missing})
    names = ["key", "setting", "label", "verb_held", "noun_held", "adjective_held", "vocabulary_held", "missing"]
    return pd.DataFrame(rows, columns=names)


def check_attributes(corpus: pd.DataFrame) -> pd.DataFrame:
    """Return the drawn attributes of each text, and whether it bears their marks.

    Returns
    -------
    checked : DataFrame
        One row a text and drawn attribute: key, setting, label, attribute, drawn (its value), attribute_checkable
        (there is a rule), attribute_kept (by the rule; missing where there is none). Empty where none was drawn.
    """
    rows = []
    for row in corpus.itertuples():
        for attribute, drawn in json.loads(row.request).get("attributes", {}).items():
            kept = RULES[drawn](row.text) if drawn in RULES else None
            rows.append((row.key, row.setting, row.label, attribute, drawn, drawn in RULES, kept))
    names = ["key", "setting", "label", "attribute", "drawn", "attribute_checkable", "attribute_kept"]
    return pd.DataFrame(rows, columns=names).astype({"attribute_kept": "boolean", "attribute_checkable": bool})


def tabulate_attributes(checked: pd.DataFrame, corpus: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Return how far each checkable value was kept, beside texts for which the attribute had another value.

    Parameters
    ----------
    checked : DataFrame
        Of :func:`check_attributes`, of the same corpus.

    Returns
    -------
    kept : DataFrame
        attribute, drawn, texts (with the value), kept, kept_low, kept_high (share of them that bear the mark),
        otherwise (share of texts with another value of the attribute that bear it; NaN where there is none).
    """
    texts = corpus.set_index("key")["text"]
    rows = []
    for (attribute, drawn), group in checked[checked["attribute_checkable"]].groupby(
        ["attribute", "drawn"], sort=False
    ):
        interval = share_interval(group["attribute_kept"].sum(), len(group), confidence=confidence)
        others = checked.loc[(checked["attribute"] == attribute) & (checked["drawn"] != drawn), "key"]
        otherwise = texts[others].map(RULES[drawn]).astype(float).mean()
        rows.append((attribute, drawn, len(group), *interval, otherwise))
    names = ["attribute", "drawn", "texts", "kept", "kept_low", "kept_high", "otherwise"]
    return pd.DataFrame(rows, columns=names)
