"""The dataset card beside a corpus: README.md as the Hugging Face hub reads it, made from the tables of the run.

No text is trusted: what a model or a server wrote stands in code fences or escaped, and is cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import yaml

from synthlib.asking.ledger import BROKEN, describe_ledger, say_usd
from synthlib.corpus import card_audit
from synthlib.corpus.markdown import bullets, cell, fence, table
from synthlib.params import Generate
from synthlib.settings import SHOWING_SETTINGS
from synthlib.tasks import Task, Wording

FILE = "README.md"
RELEASED_BY = "Claude (Anthropic); its exact version and sampling settings are not known"
RELEASED_WHEN = "November 2026"
RELEASED_LICENCE = "cc-by-4.0"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LARGEST = "n>1M"
_COLUMNS = """`key` (`setting/label/n`), `task`, `setting`, `label` (as asked for), `n`, `text`, `request` (JSON: what
was drawn for it), `examples` (keys of the real texts shown before it; the texts themselves are not here),
`conversation` and `turn` (where it was asked), `prompt` (the user message; a real text stands there by its key),
`cost_usd` (of all answers to the request; replayed: 0), `answer` (the last answer, from which the text was read),
counts of words, marks and function words, and `feature` (the vector of the frozen encoder)."""


@dataclass(frozen=True)
class Corpus:
    """What a card is about.

    Attributes
    ----------
    task, p, wording
        The task, the parameters of the stage, and what all tasks' prompts share.
    rows : DataFrame
        As :func:`synthlib.generate.replay`, with the surface measures.
    ledger : DataFrame
        As :meth:`synthlib.asking.ledger.Ledger.tabulate`.
    audited : DataFrame
        Columns :data:`synthlib.corpus.audit.COLUMNS`.
    learned : str
        What scoring found while the corpus grew, as Markdown; empty where it was off.
    """

    task: Task
    p: Generate
    wording: Wording
    rows: pd.DataFrame
    ledger: pd.DataFrame
    audited: pd.DataFrame
    learned: str

    @property
    def replayed(self) -> bool:
        """Whether the texts are the released ones."""
        return self.p.backend == "released"

    @property
    def licence(self) -> str:
        """Licence by its identifier on the hub; ``unknown`` for texts written now: whoever publishes them decides."""
        return RELEASED_LICENCE if self.replayed else "unknown"


def write_card(corpus: Corpus, folder: Path, *, file: str = "corpus.parquet") -> Path:
    """Write README.md beside the table of a corpus and return its path.

    Parameters
    ----------
    file : str
        The table's name in the folder.
    """
    path = folder / FILE
    path.write_text(render_card(corpus, file=file), encoding="utf-8")
    return path


def render_card(corpus: Corpus, *, file: str) -> str:
    """Return a dataset card: YAML front matter for the hub, then what a reader must know."""
    front = render_front_matter(corpus, file)
    sections = {
        "": _say_what(corpus),
        "Files and columns": f"`{file}`, one row per text: {_COLUMNS}",
        "How made": _say_how(corpus),
        "Cost": _say_cost(corpus),
        "Broken answers": _say_broken(corpus),
        "Audit": card_audit.describe(corpus.audited, corpus.rows, corpus.p),
        "Learning while generating": corpus.learned,
        "Examples": _show_examples(corpus.rows),
        "Limits": _say_limits(corpus),
        "Licence": _say_licence(corpus),
    }
    body = [f"## {title}\n\n{text}" if title else text for title, text in sections.items() if text]
    return "\n\n".join([f"---\n{front}---", f"# {cell(corpus.task.title)}: synthetic texts", *body]) + "\n"


def render_front_matter(corpus: Corpus, file: str) -> str:
    """Return :func:`front_matter` as YAML."""
    return yaml.safe_dump(front_matter(corpus, file), sort_keys=False, allow_unicode=True)


def front_matter(corpus: Corpus, file: str) -> dict[str, object]:
    """Return the metadata that the hub reads."""
    n = len(corpus.rows)
    return {
        "pretty_name": f"{corpus.task.title}: synthetic texts",
        "language": [corpus.task.language],
        "license": corpus.licence,
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "size_categories": [next((name for most, name in _SIZES if n < most), _LARGEST)],
        "task_categories": ["text-classification"],
        "tags": ["synthetic", *corpus.p.settings],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": file}]}],
    }


def _say_what(corpus: Corpus) -> str:
    counts = corpus.rows.groupby(["label", "setting"]).size().unstack("setting", fill_value=0)
    counts = counts.reindex(index=corpus.task.label_names, columns=corpus.p.settings, fill_value=0)
    means = [corpus.task.labels[label].means for label in counts.index]
    counts = counts.reset_index().assign(meaning=means)
    return f"""{len(corpus.rows):,} texts that a language model wrote. Task: {cell(corpus.task.question, 500)}

{table(counts)}

Each label is what was asked for; nobody judged the texts."""


def _say_how(corpus: Corpus) -> str:
    p, parts = corpus.p, []
    for setting in p.settings:
        first = corpus.rows[corpus.rows["setting"] == setting].head(1)
        parts += [
            f"A request of `{setting}` (label {cell(row.label)}):\n\n{fence(row.prompt)}" for row in first.itertuples()
        ]
    shared = {name: text for name, text in corpus.wording.model_dump().items() if isinstance(text, str)}
    lines = [
        f"{name}: {text}" for name, text in {"context": corpus.task.context, "generate": corpus.task.generate}.items()
    ]
    lines += [f"{name}: {text}" for name, text in shared.items()]
    return "\n\n".join(
        [
            bullets(_list_makers(corpus)),
            "Prompts, verbatim; names in braces are filled in for each request:\n\n" + fence("\n\n".join(lines)),
            *parts,
        ]
    )


def _list_makers(corpus: Corpus) -> list[str]:
    p, llm = corpus.p, corpus.p.llm
    items = [f"Settings: {', '.join(f'`{name}`' for name in p.settings)}; seed {p.seed}."]
    if corpus.replayed:
        return [f"Model: {RELEASED_BY}.", f"Written: {RELEASED_WHEN}, in sheets of requests; replayed here.", *items]
    served = sorted({name for names in corpus.ledger["served_by"] for name in names.split(", ") if name})
    named = ("temperature", "top_p", "max_tokens", "labels", "texts_per_conversation")
    sampling = {name: llm[name] for name in named if name in llm}
    where = "on the maker's own machine" if p.backend == "local" else f"at {_name_server(llm.get('base_url'))}"
    dates = f"{corpus.ledger['asked_from'].min()} to {corpus.ledger['asked_to'].max()}"
    return [
        f"Model: {cell(Path(llm['model']).name if p.backend == 'local' else llm['model'])} {where}; it calls itself "
        f"{', '.join(map(cell, served)) or 'nothing'}.",
        f"Sampling and shape: {cell(', '.join(f'{name} {value}' for name, value in sampling.items()), 500)}.",
        f"Written: {cell(dates)}.",
        *items,
    ]


def _name_server(base_url: str | None) -> str:
    """Return a server's address; one of the maker's own machine or network concerns nobody else."""
    host = urlsplit(base_url or "").hostname
    if host is None:
        return "OpenAI"
    try:
        own = ip_address(host).is_private
    except ValueError:  # a name
        own = "." not in host
    return "a server of the maker's own" if own else cell(base_url)


def _say_cost(corpus: Corpus) -> str:
    if corpus.replayed:
        return "The texts were replayed: USD 0. What it once cost to write them is not known."
    sums = corpus.ledger.groupby("setting", sort=False)[["answers", "prompt_tokens", "answer_tokens", "cost_usd"]]
    sums = sums.agg(lambda column: column.sum(skipna=False)).reset_index()
    sums["cost_usd"] = [say_usd(usd) for usd in sums["cost_usd"]]
    for name in ("answers", "prompt_tokens", "answer_tokens"):
        sums[name] = ["unknown" if pd.isna(count) else f"{count:,.0f}" for count in sums[name]]
    return f"{describe_ledger(corpus.ledger)}\n\n{table(sums)}"


def _say_broken(corpus: Corpus) -> str:
    if corpus.replayed:
        return "Not known: the released texts were not asked for one by one."
    names = ["setting", "label", "texts", "missing", "answers", *BROKEN]
    return (
        "A broken answer is asked for again, as often as the settings allow, and counted; `missing` are the requests "
        f"that stayed without a sound one.\n\n{table(corpus.ledger[names])}"
    )


def _show_examples(rows: pd.DataFrame) -> str:
    shown = rows.groupby(["setting", "label"], sort=False).head(1)
    return "\n\n".join(f"`{row.setting}`, {cell(row.label)}:\n\n{fence(row.text, 500)}" for row in shown.itertuples())


def _say_limits(corpus: Corpus) -> str:
    items = [
        "Labels are what was asked for. Style may give them away: see the audit before training on these texts.",
        "One model, one time, one set of prompts; another writes otherwise.",
        "The model may know public data sets by heart. Nearness to test rows is measured by encoder vectors, which "
        "find a repeat in other words and miss a shared short phrase.",
        "Names, figures and quotations are invented or used freely; none is a statement about anyone.",
    ]
    if set(SHOWING_SETTINGS) & set(corpus.p.settings):
        items.append("Few-shot and grounded texts imitate real ones on purpose.")
    return bullets(items)


def _say_licence(corpus: Corpus) -> str:
    if corpus.replayed:
        return "CC BY 4.0: credit the authors of this project, and say that a language model wrote the texts."
    said = "Not chosen yet. Before publishing, check the terms of the model's provider"
    if set(SHOWING_SETTINGS) & set(corpus.p.settings):
        said += f" and of the real texts shown in requests ({cell(corpus.task.reference.licence, 300)})"
    return f"{said}, and set `license` in the front matter."
