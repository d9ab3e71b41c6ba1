"""How a corpus is scored while it grows: the ``scoring`` parameters of 02_generate."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from synthlib.fields import Count


class Scoring(BaseModel):
    """How 02_generate scores a corpus while it grows: see :mod:`synthlib.growth`.

    Attributes
    ----------
    every : int
        Texts of each label between two scorings. A model is asked in rounds of so many; the smaller they are, the fewer
        conversations run side by side.
    patience : int
        Growth is judged over so many scorings.
    min_gain : float
        Gain in Macro-F1 over them (a fraction) below which growth is flat.
    stop : bool
        Whether a setting whose growth is flat is asked for no more. Released texts are all replayed either way.
    n_seeds, hidden_units, learning_rate, weight_decay, n_steps, batch_size
        The classifiers: as in 03_train, but smaller ones do.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    every: Count
    patience: Count
    min_gain: Annotated[float, Field(gt=-1, lt=1)]
    stop: bool
    n_seeds: Annotated[int, Field(ge=2)]
    hidden_units: Count
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0, lt=1)]
    n_steps: Count
    batch_size: Count
