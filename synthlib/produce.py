"""``synthlib generate``: the generation stage without a notebook, from a profile to a corpus with its card."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from synthlib import paths
from synthlib.asking.estimate import estimate_cells
from synthlib.asking.ledger import describe_ledger
from synthlib.params import Generate, check
from synthlib.runner.profiles import expand, load_profile

DONE, FAILED, BAD_INPUT, NOT_CONFIRMED, INTERRUPTED = 0, 1, 2, 3, 130


class NotConfirmedError(RuntimeError):
    """Nobody was there to say that a model may be asked."""


def choose_cells(
    path: Path, *, tasks: Sequence[str], settings: Sequence[str], n_per_label: int | None
) -> tuple[str, list[Generate]]:
    """Return a profile's name and the parameters of its stage generate, a task each, with some values replaced.

    Parameters
    ----------
    tasks, settings : sequence of str
        Empty: those of the profile. A task need not be in the profile.
    n_per_label : int or None
        None: that of the profile.

    Raises
    ------
    ValueError, FileNotFoundError
        The profile is at fault, has no stage generate, or a value is not allowed.
    """
    profile = load_profile(path)
    cells = {cell.name: cell.params for cell in expand(profile) if isinstance(cell.params, Generate)}
    if not cells:
        raise ValueError(f"{path}: no stage generate; the profile names {', '.join(profile.stages)}")
    given = {"settings": list(settings)} if settings else {}
    given |= {} if n_per_label is None else {"n_per_label": n_per_label}
    first = next(iter(cells.values()))
    wanted = {name: cells.get(name, first) for name in tasks or cells}
    return profile.name, [check(Generate, p.model_dump() | given | {"task": name}) for name, p in wanted.items()]


def confirm(cells: Sequence[Generate], *, yes: bool) -> bool:
    """Return whether a model may be asked; replaying needs no leave.

    Raises
    ------
    NotConfirmedError
        Nobody is there to say so: the input is no terminal.
    """
    if yes or all(p.backend == "released" for p in cells):
        return True
    if not sys.stdin.isatty():
        raise NotConfirmedError(
            "not confirmed: the input is no terminal; add --yes to ask the model without a question"
        )
    return input("Ask the model now? [y/N] ").strip().lower() in ("y", "yes")


def produce(p: Generate, folder: Path) -> str:
    """Write a task's corpus, ledger, audit, curve (where it is scored) and card into a folder; return what it cost.

    The texts are those of 02_generate for the same parameters, and so are the calls: what either has paid for, the
    other finds in the store.

    Raises
    ------
    ValueError, OSError, CallError
        See :func:`synthlib.generate.make_corpus`. The folder is written to when all texts are there.
    """
    from synthlib import features, generate, growth, results, vectors  # import torch
    from synthlib.corpus import audits, card
    from synthlib.tasks import load_task, load_wording

    task, wording = load_task(p.task), load_wording()
    corpus, counted = generate.make_corpus(task, p, wording=wording)
    folder.mkdir(parents=True, exist_ok=True)
    texts = corpus["text"].tolist()
    made_vectors = vectors.find_vectors(texts, p.encoder, shipped=[p.task])
    features.write_table(folder / "corpus.parquet", corpus, texts, made_vectors)
    made = features.read(folder / "corpus.parquet", encoder=p.encoder)
    audited = audits.audit_corpus(made, audits.load_real(p), task, p, rng=np.random.default_rng(p.seed))
    results.write_table(counted, folder, "ledger")
    results.write_table(audited, folder, "audit")
    learned = ""
    if p.scoring:
        curve = growth.find_curve(corpus, made, task, p)
        results.write_table(curve, folder, "curve")
        learned = growth.describe_curve(curve, task, p)
    card.write_card(card.Corpus(task, p, wording, made.rows, counted, audited, learned), folder)
    return f"{p.task}: {len(corpus):,} texts in {folder}. {describe_ledger(counted)}"


def check_folder(folder: Path) -> None:
    """Raise ValueError if texts cannot be written to a folder, which need not be there yet."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        raise ValueError(f"{folder} cannot be written: {nearest} is a file; give --output a folder")
    if not os.access(nearest, os.W_OK):
        raise ValueError(f"{folder} cannot be written: {nearest} may not be changed; give --output another folder")


def run(
    path: Path,
    *,
    tasks: Sequence[str],
    settings: Sequence[str],
    n_per_label: int | None,
    output: Path | None,
    yes: bool,
    say: Callable[[str], None],
) -> int:
    """Estimate, ask for leave, generate and write, a folder per task; return the exit status.

    Parameters
    ----------
    output : Path or None
        Holds a folder per task; None is results/generated/<profile>.
    yes : bool
        Ask no question.
    say : callable
        Is given what a person should read.
    """
    name, cells = choose_cells(path, tasks=tasks, settings=settings, n_per_label=n_per_label)
    folders = [(output or paths.RESULTS / "generated" / name) / p.task for p in cells]
    for folder in folders:
        check_folder(folder)
    say(estimate_cells(cells))
    if not confirm(cells, yes=yes):
        say("Nothing was asked.")
        return NOT_CONFIRMED
    for p, folder in zip(cells, folders, strict=True):
        say(produce(p, folder))
    return DONE
