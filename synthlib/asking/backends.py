"""Which language model is asked, how, and within which limits: the ``llm`` parameters of 02_generate."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from synthlib.devices import check_device
from synthlib.fields import Count

_SAMPLED_BYTES = 1 << 20  # of a file of weights, at both ends


def _plain_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("base_url must look like http://localhost:8000/v1")
    if parts.username or parts.password or parts.query:
        raise ValueError("base_url must hold no user name, password or query; a key goes into OPENAI_API_KEY")
    return url


Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Asked(BaseModel):
    """What all language models that are asked have in common.

    Attributes
    ----------
    store : str
        Answers are kept in calls/<store>.sqlite. Limits hold for all calls ever sent for it.
    model : str
        Which one.
    temperature : float or None
        None: the model's or server's own.
    top_p : float or None
        Only the likeliest tokens that together have this probability are drawn from. None: the model's or server's own.
    max_tokens : int
        Longest answer.
    labels : str
        ``mixed``: a conversation takes the labels in turn, in random order; ``apart``: one label a conversation.
    texts_per_conversation : int
        Requests of a conversation; each is sent with all before it and their answers. Conversations run at the same
        time, the requests of one run in order. Raising n_per_label later adds to the conversations and repeats none.
    asks_per_text : int
        How often a text is asked for before it counts as missing: an answer may be a refusal, empty or cut off.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    store: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    model: Annotated[str, Field(min_length=1)]
    temperature: Annotated[float, Field(ge=0, le=2)] | None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Count
    labels: Literal["mixed", "apart"]
    texts_per_conversation: Count
    asks_per_text: Count


class Llm(Asked):
    """The language model that ``backend: openai`` asks: any server that speaks OpenAI's chat completions.

    Attributes
    ----------
    model : str
        As the server calls it.
    base_url : str or None
        Address of the server, such as http://localhost:8000/v1; None is OpenAI's own.
    mode : str
        ``online``: one call after the other, answers come at once. ``batch``: calls are handed in together, through the
        server's files and batches, for an answer within 24 hours at its lower price. Requests of a conversation wait
        for the answers before them: a batch for each turn.
    concurrency : int
        Calls in flight at most; fewer while the server says that they are too many. Online only.
    requests_per_minute, tokens_per_minute : int or None
        Limits to keep to. Tokens are estimated: those of the prompt, and max_tokens. Online only.
    max_usd : float or None
        Nothing is sent that could cost more in sum. Needs a price in params/prices.yaml.
    max_calls : int or None
        Nothing is sent beyond so many calls, repeated ones among them, but for those that the server refuses for good.
    timeout_seconds : float
        Longest wait for a reply of the server.
    """

    base_url: Annotated[str, AfterValidator(_plain_address)] | None
    mode: Literal["online", "batch"] = "online"
    concurrency: Annotated[int, Field(ge=1, le=1024)]
    requests_per_minute: Count | None
    tokens_per_minute: Count | None
    max_usd: Amount | None
    max_calls: Count | None
    timeout_seconds: Amount


class Local(Asked):
    """The language model that ``backend: local`` runs here: a causal model of transformers from a folder on disk.

    Attributes
    ----------
    model : str
        The folder; relative ones start at the repository root.
    batch_size : int
        Texts that are written at the same time, at most.
    device : str
        As for :func:`synthlib.devices.check_device`.
    dtype : str
        Of the weights; auto is what the folder says.
    """

    batch_size: Count
    device: Annotated[str, AfterValidator(check_device)]
    dtype: Literal["auto", "float32", "bfloat16", "float16"]


MODELS: dict[str, type[Asked]] = {"openai": Llm, "local": Local}


def name_model(folder: Path) -> str:
    """Return the name of a local model: its folder's, with a digest of its files, of weights of both ends."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix in (".json", ".jinja", ".safetensors", ".txt")):
        size = path.stat().st_size
        digest.update(f"{path.name} {size} ".encode())
        with path.open("rb") as file:
            digest.update(file.read(_SAMPLED_BYTES))
            file.seek(max(0, size - _SAMPLED_BYTES))
            digest.update(file.read())
    return f"{folder.resolve().name}@{digest.hexdigest()[:12]}"
