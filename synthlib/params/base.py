"""What all parameters share: the types of their fields, the model they start from, and the check of values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
)

from synthlib.devices import check_device
from synthlib.encoders import check_encoder
from synthlib.tasks import find_file

Source = Literal["features", "folder", "hub"]
Backend = Literal["released", "openai", "local"]
SHIPPED_ROWS = 2000  # real training rows per task in data/features


def _known_task(name: str) -> str:
    find_file(name)
    return name


def distinct(values: list) -> list:
    """Return ``values``; ValueError if one is repeated."""
    if len(set(values)) != len(values):
        raise ValueError(f"a value is repeated in {values}")
    return values


TaskName = Annotated[str, AfterValidator(_known_task)]
TaskNames = Annotated[list[TaskName], Field(min_length=1), AfterValidator(distinct)]
EncoderName = Annotated[str, AfterValidator(check_encoder)]
Device = Annotated[str, AfterValidator(check_device)]


Resamples = Annotated[int, Field(ge=100, le=100_000)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Params(BaseModel):
    """What every notebook takes: a seed, the folders of earlier stages, and the folder it writes to.

    ``inputs`` maps ``"stage/cell"`` to a folder and ``output`` names one, both relative to the repository root. The
    runner fills them in; left empty (a notebook opened by hand), the last companion run is read and
    ``results/interactive/<stage>`` is written.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    seed: Annotated[int, Field(ge=0)]
    inputs: dict[str, str]
    output: str

    @property
    def looks_at_released(self) -> bool:
        """Whether the notebook reads released results of another profile, where there are some."""
        return True

    @classmethod
    def from_cell(cls, namespace: Mapping[str, Any]) -> Self:
        """Return the parameters found in a notebook's namespace, checked.

        Parameters
        ----------
        namespace : mapping
            ``globals()`` of the notebook; names that are no parameter are ignored.

        Raises
        ------
        ValueError
            A parameter is missing, of the wrong type or out of range; the message names each one.
        """
        return check(cls, {name: namespace[name] for name in cls.model_fields if name in namespace})


def check(model: type[BaseModel], values: Mapping[str, Any]) -> Any:
    """Return ``model(**values)``, with every fault in one message that names the value given, unless it is a mapping.

    Raises
    ------
    ValueError
        Any value is unknown, missing, of the wrong type or out of range.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        lines = []
        for fault in error.errors():
            name = ".".join(str(part) for part in fault["loc"])
            said = fault["msg"].removeprefix("Value error, ")
            given = "" if isinstance(fault["input"], dict) else f" (got {fault['input']!r})"
            lines.append(f"  {name}{': ' if name else ''}{said}{given}{_hint(fault['input'])}")
            if fault["type"] == "extra_forbidden":
                lines[-1] += f"; parameters are: {', '.join(model.model_fields)}"
        raise ValueError(f"{model.__name__}: {len(lines)} bad parameter(s)\n" + "\n".join(lines)) from None


def _hint(value: Any) -> str:
    """Return what to write instead of 2e-5, which YAML takes for text."""
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+e[+-]?\d+", value, re.IGNORECASE):
        return f"; write {value.lower().replace('e', '.0e')}: YAML takes a number with e and no point for text"
    return ""
