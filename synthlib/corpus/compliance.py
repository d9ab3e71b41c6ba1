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
from synthlib.intervals import share_interval
from synthlib.tasks import Rule, Task

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
_EMOTICON = re.compile(r"[:;=8xX][-'o^]?[()DPpdO|/\\3*]|<3|\^_?\^|[()]-?[:;]|T_T|\bx[dD]\b")
_SINGLISH = re.compile(r"\b(?:lah|leh|lor|meh|hor|sia|liao|mah|lar|la|ah|ar|eh|wor|hah)\b", re.IGNORECASE)
_NO_VOWEL = re.compile(
    r"\b(?!(?:tv|mr|mrs|dr|st|pm|sms|hmm|mm|shh|cd|dvd|km|kg|gp|pc)\b)[b-df-hj-np-tv-xz]{2,}\b|\b[ur]\b"
)


def _search(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.search(pattern, text, re.IGNORECASE) is not None


def _lack(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.search(pattern, text, re.IGNORECASE) is None


def _flatten(text: str) -> str:
    return " ".join(re.sub("[\"“”„'‘’*_]", "", text).lower().split())


def _count_sentences(text: str) -> int:
    return len(re.findall(r"[^.!?…]*\w[^.!?…]*(?:[.!?…]+(?=[\s\"”'’)]|$)|$)", text))


def _numbers(text: str) -> int:
    return len(_NUMBER.findall(_YEAR.sub(" ", text)))


def _capitals(text: str) -> float:
    letters = [letter for letter in text if letter.isalpha()]
    return sum(letter.isupper() for letter in letters) / max(len(letters), 1)


#: What a text can bear, by the name under which a task's file calls it (``rules`` of :class:`synthlib.tasks.Task`).
RULES: dict[str, Callable[[str], bool]] = {
    "hashtag": _search(r"#\w"),
    "no_hashtag": lambda text: "#" not in text,
    "mention": _search(r"@\w"),
    "two_emoji": lambda text: len(surface.EMOJI.findall(text)) >= 2,
    "question_mark": lambda text: "?" in text,
    "question_then_more": _search(r"\?[\"”'’)]*\s+\S"),
    "quotation_marks": lambda text: _QUOTED.search(text) is not None,
    "opening_quotation": _search("^\\s*(?:>|[\"“'‘])"),
    "one_sentence": lambda text: _count_sentences(text) == 1,
    "several_sentences": lambda text: _count_sentences(text) >= 2,
    "two_sentences": lambda text: _count_sentences(text) == 2,
    "lower_case": lambda text: text == text.lower(),
    "word_edit": _search(r"\bedit\b"),
    "capitals": lambda text: _capitals(text) >= 0.8,
    "word_in_capitals": _search(r"(?-i:\b[A-Z]{3,}\b)"),
    "emoticon": lambda text: bool(_EMOTICON.search(text) or surface.EMOJI.search(text)),
    "word_without_vowel": lambda text: _NO_VOWEL.search(text.lower()) is not None,
    "singlish_particle": lambda text: _SINGLISH.search(text) is not None,
    "bar_word": _search(r"\b(?:bar|pub|bartender|barman|barmaid)\b"),
    "list_opening": _search(r"^\W*(?:how|\d+|\w+ (?:ways|things|reasons|tips|signs))\b"),
    "survey_word": _search(r"survey|poll|percent|%|\b(?:in|of) \d+\b|study|respondents"),
    "dateline": _search(r"^(?-i:[A-Z]{2}).{0,60}?(?:\(AP\)|--|[—–]| - )"),
    "digit": _search(r"\d"),
    "no_digit": lambda text: re.search(r"\d", text) is None,
    "one_number": lambda text: _numbers(text) == 1,
    "two_numbers": lambda text: _numbers(text) >= 2,
    "percentage": _search(r"%|per ?cent"),
    "euro_amount": _search(r"€|\beuros?\b|\bEUR\b"),
    "parenthesis": _search(r"\(.+\)"),
    "no_year": lambda text: _YEAR.search(text) is None,
    "year_18xx": _search(r"\b18\d\d|19th|nineteenth"),
    "year_192x_194x": _search(r"\b19[234]\d"),
    "year_195x_197x": _search(r"\b19[567]\d"),
    "year_198x_199x": _search(r"\b19[89]\d"),
    "year_200x": _search(r"\b200\d"),
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


def find_rules(task: Task) -> dict[str, Callable[[str], bool]]:
    """Return the rule of each checkable attribute value of a task.

    Raises
    ------
    ValueError
        The task names a rule that is not among :data:`RULES`.
    """
    rules = {}
    for value, rule in task.rules.items():
        if isinstance(rule, Rule):
            rules[value] = _search(rule.holds) if rule.holds is not None else _lack(rule.lacks or "")
        elif rule in RULES:
            rules[value] = RULES[rule]
        else:
            raise ValueError(
                f"{task.name}: the rule of {value!r} is {rule!r}; write holds: or lacks: with a regular expression, or "
                f"one of {', '.join(RULES)}"
            )
    return rules


def list_rules(task: Task) -> pd.DataFrame:
    """Return what the sampler can draw, and how it is checked: a row an attribute value.

    Returns
    -------
    rules : DataFrame
        attribute, value, labels (those for which it is drawn, or ``all``), rule (its name or expression; a dash where
        there is none).
    """
    rows = []
    for attribute, values in task.attributes.items():
        for value in values:
            labels = [label for label in task.labels if value in task.attributes_of(label)[attribute]]
            rule = task.rules.get(value, "–")
            if isinstance(rule, Rule):
                rule = f"holds {rule.holds}" if rule.holds is not None else f"lacks {rule.lacks}"
            rows.append((attribute, value, "all" if len(labels) == len(task.labels) else ", ".join(labels), rule))
    return pd.DataFrame(rows, columns=["attribute", "value", "labels", "rule"])


def check_sentences(corpus: pd.DataFrame) -> pd.DataFrame:
    """Return for each text with an outline whether the sentence of the outline stands in it.

    Case, white space, the form of quotation marks and a final stop may differ.

    Returns
    -------
    checked : DataFrame
        key, setting, label, sentence_held. Empty where no request had an outline.
    """
    rows = []
    for row in corpus.itertuples():
        if outline := json.loads(row.request).get("outline"):
            sentence = _flatten(outline["sentence"]).rstrip(".!?… ")
            rows.append((row.key, row.setting, row.label, sentence in _flatten(row.text)))
    return pd.DataFrame(rows, columns=["key", "setting", "label", "sentence_held"]).astype({"sentence_held": bool})


def check_attributes(corpus: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return the drawn attributes of each text of a task, and whether it bears their marks.

    Returns
    -------
    checked : DataFrame
        One row per text and drawn attribute: key, setting, label, attribute, drawn (its value), attribute_checkable
        (there is a rule), attribute_kept (by the rule; missing where there is none). Empty where none was drawn.
    """
    rows, rules = [], find_rules(task)
    for row in corpus.itertuples():
        for attribute, drawn in json.loads(row.request).get("attributes", {}).items():
            kept = rules[drawn](row.text) if drawn in rules else None
            rows.append((row.key, row.setting, row.label, attribute, drawn, drawn in rules, kept))
    names = ["key", "setting", "label", "attribute", "drawn", "attribute_checkable", "attribute_kept"]
    return pd.DataFrame(rows, columns=names).astype({"attribute_kept": "boolean", "attribute_checkable": bool})


def tabulate_attributes(checked: pd.DataFrame, corpus: pd.DataFrame, task: Task, *, confidence: float) -> pd.DataFrame:
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
    texts, rules = corpus.set_index("key")["text"], find_rules(task)
    rows = []
    for (attribute, drawn), group in checked[checked["attribute_checkable"]].groupby(
        ["attribute", "drawn"], sort=False
    ):
        interval = share_interval(group["attribute_kept"].sum(), len(group), confidence=confidence)
        others = checked.loc[(checked["attribute"] == attribute) & (checked["drawn"] != drawn), "key"]
        otherwise = texts[others].map(rules[drawn]).astype(float).mean()
        rows.append((attribute, drawn, len(group), *interval, otherwise))
    names = ["attribute", "drawn", "texts", "kept", "kept_low", "kept_high", "otherwise"]
    return pd.DataFrame(rows, columns=names)
