"""The settings in which texts are asked for, and the sources that classifiers learn from."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator

Setting = Literal["zero_shot", "few_shot", "attributed", "hierarchical", "grounded", "verbalized"]
SETTINGS: tuple[str, ...] = get_args(Setting)
#: Those of which texts are shipped; the others are asked of a model.
RELEASED_SETTINGS = ("zero_shot", "few_shot", "attributed")
#: Those whose requests show real texts, and those whose requests draw attributes and words.
SHOWING_SETTINGS = ("few_shot", "grounded")
ATTRIBUTED_SETTINGS = ("attributed", "hierarchical")

REAL_SOURCES = ("real", "real_matched", "pool")


def check_source(name: str) -> str:
    """Return the name of a training source: a setting or one of :data:`REAL_SOURCES`, or several joined by ``+``.

    Raises
    ------
    ValueError
        A part is unknown, texts are named twice, or the parts stand in another order than the known ones.

    Examples
    --------
    >>> check_source("pool+grounded")
    'pool+grounded'
    """
    parts, known = name.split("+"), (*REAL_SOURCES, *SETTINGS)
    if unknown := [part for part in parts if part not in known]:
        raise ValueError(
            f"unknown part(s) {unknown} of source {name!r}; a source is {', '.join(known)}, or several joined by +"
        )
    if len(set(parts)) < len(parts) or len(set(parts) & set(REAL_SOURCES)) > 1:
        raise ValueError(
            f"source {name!r} takes texts twice; name each part once, and only one of {', '.join(REAL_SOURCES)}"
        )
    ordered = "+".join(part for part in known if part in parts)
    if name != ordered:
        raise ValueError(f"source {name!r} must be written {ordered!r}, so that it has one name")
    return name


TrainingSource = Annotated[str, AfterValidator(check_source)]
