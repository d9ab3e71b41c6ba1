"""``synthlib crowd``: design a study, ask how many workers it needs, write its instruments, take in its votes."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

TOKEN = "LABEL_STUDIO_TOKEN"  # environment variable


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the ``crowd`` group to a parser's commands."""
    steps = commands.add_parser("crowd", help="ask your own crowd: design, instruments, votes").add_subparsers(
        dest="step", required=True
    )
    _add_design(steps)
    _add_power(steps)
    collect = steps.add_parser("collect", help="check votes of any instrument and write the folder that notebooks read")
    collect.add_argument("folder", type=Path, help="the study's, from `crowd design`")
    collect.add_argument(
        "files", type=Path, nargs="+", help="exports of forms, Label Studio, MTurk, or plain csv files"
    )
    collect.add_argument("--votes", type=Path, required=True, help="folder to write to")
    collect.add_argument("--exclude", nargs="*", default=["failed_check"], help="flags that cost a worker's votes")
    collect.add_argument(
        "--min-seconds", type=_SECONDS, default=2.0, help="shortest median time per answer that is not too fast"
    )
    collect.add_argument("--straight-from", type=_COUNT, default=8, help="answers from which one side always is a sign")
    collect.add_argument("--rename", nargs="*", default=[], metavar="THEIRS=OURS", help="columns of a csv")
    collect.add_argument("--encoding", help="of csv files; UTF-8 unless said")
    collect.add_argument(
        "--salt", type=Path, help="file of the pseudonyms' salt; private/salt of the study unless said"
    )
    studio = steps.add_parser("label-studio", help=f"make a project, or fetch its votes; the token comes from {TOKEN}")
    studio.add_argument("action", choices=["create", "export"])
    studio.add_argument("folder", type=Path, help="the study's")
    studio.add_argument("--url", required=True, help="of the server, such as http://localhost:8080")
    studio.add_argument("--project", type=int, help="number of the project to export")
    studio.add_argument("--file", type=Path, help="where the export goes")
    panel = steps.add_parser("panel", help="ask a language model as personas; its votes are never called people's")
    panel.add_argument("folder", type=Path, help="the study's")
    panel.add_argument("--backend", choices=["openai", "local"], default="openai", help="a server, or a model here")
    panel.add_argument("--llm", type=Path, required=True, help="yaml with the fields of llm for it, as in 02_generate")
    panel.add_argument("--personas", type=Path, required=True, help="text file, one persona a line")
    panel.add_argument("--file", type=Path, required=True, help="where the answers go, for `crowd collect`")


def _number(kind: Callable[[str], Any], fits: Callable[[Any], bool], said: str) -> Callable[[str], Any]:
    """Return a reader of an option's number, which refuses one that does not fit."""

    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not fits(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not {said}")
        return value

    return read


_COUNT = _number(int, lambda number: number >= 1, "a whole number from 1")
_SEVERAL = _number(int, lambda number: number >= 2, "a whole number from 2")
_SEED = _number(int, lambda number: number >= 0, "a whole number from 0")
_ABOVE = _number(float, lambda number: 0 < number < inf, "a number above 0")
_SECONDS = _number(float, lambda number: 0 <= number < inf, "a number from 0")
_SHARE = _number(float, lambda number: 0 < number < 1, "a number between 0 and 1")
_PART = _number(float, lambda number: 0 <= number < 1, "a number from 0 to below 1")


def _add_design(steps: argparse._SubParsersAction) -> None:
    design = steps.add_parser("design", help="draw a study and write its form, Label Studio and MTurk files")
    design.add_argument("kind", choices=["pairs", "instances"])
    design.add_argument("folder", type=Path, help="folder to write to")
    design.add_argument("--tasks", nargs="+", required=True, help="pairs: tasks to compare; instances: one task")
    design.add_argument(
        "--source", choices=["features", "folder", "hub"], default="features", help="of the texts shown"
    )
    design.add_argument("--per-worker", type=_COUNT, help="items per worker; 10 pairs or 20 texts unless said")
    design.add_argument("--per-label", type=_COUNT, default=50, help="instances: texts per label")
    design.add_argument("--min-votes", type=_COUNT, default=3, help="fewest votes per item")
    design.add_argument("--workers", type=_COUNT, help="slots; the fewest that give these votes unless said")
    design.add_argument("--checks", type=_COUNT, help="attention checks; 1 for pairs, 2 for instances unless said")
    design.add_argument("--seed", type=_SEED, default=1)


def _add_power(steps: argparse._SubParsersAction) -> None:
    power = steps.add_parser("power", help="how many workers for an interval this wide, by simulation")
    power.add_argument("kind", choices=["pairs", "instances"])
    power.add_argument("--workers", type=_COUNT, nargs="+", required=True, help="numbers of workers to try")
    power.add_argument("--per-worker", type=_COUNT, help="items per worker; 10 pairs or 20 texts unless said")
    power.add_argument("--items", type=_COUNT, required=True, help="pairs: number of tasks; instances: number of texts")
    power.add_argument("--labels", type=_SEVERAL, default=2, help="instances: number of labels")
    power.add_argument("--spread", type=_ABOVE, default=1.0, help="pairs: standard deviation of true scores (log-odds)")
    power.add_argument("--noise", type=_ABOVE, default=1.0, help="pairs: of a judgement; 1 is the Bradley-Terry model")
    power.add_argument("--agreement", type=_SHARE, default=0.8, help="instances: share that gives a text's main label")
    power.add_argument("--agreement-spread", type=_ABOVE, default=0.15, help="instances: its deviation over texts")
    power.add_argument("--spammers", type=_PART, default=0.1, help="share of workers who answer at random")
    power.add_argument("--simulations", type=_SEVERAL, default=200)
    power.add_argument("--confidence", type=_SHARE, default=0.95)
    power.add_argument("--seed", type=_SEED, default=1)


def run(options: argparse.Namespace) -> str:
    """Run one step and return what it has to say.

    Raises
    ------
    ValueError, OSError
        Something asked for cannot be done; the message says what.
    """
    steps = {
        "design": _design,
        "power": _measure_power,
        "collect": _collect,
        "label-studio": _use_label_studio,
        "panel": _ask_panel,
    }
    return steps[options.step](options)


def _design(options: argparse.Namespace) -> str:
    from synthlib.crowd.design import (
        design_instances,
        design_pairs,
        fewest_workers,
        measure_balance,
        tabulate_assignments,
    )
    from synthlib.crowd.write import write_instruments
    from synthlib.tasks import load_task

    pairs = options.kind == "pairs"
    if not pairs and len(options.tasks) != 1:
        raise ValueError(f"an instance study is about one task; got {options.tasks}")
    n_tasks = len(options.tasks)
    n_items = n_tasks * (n_tasks - 1) // 2 if pairs else options.per_label * len(load_task(options.tasks[0]).labels)
    per_worker, n_workers, n_checks = options.per_worker, options.workers, options.checks
    if per_worker is None:
        per_worker = min(10 if pairs else 20, max(n_items, 1))
    if n_workers is None:
        n_workers = fewest_workers(n_items, per_worker=per_worker, min_votes=options.min_votes)
    if n_checks is None:
        n_checks = 1 if pairs else 2
    shape = {"source": options.source, "per_worker": per_worker, "min_votes": options.min_votes, "seed": options.seed}
    shape |= {"n_workers": n_workers, "n_checks": n_checks}
    if pairs:
        study, key = design_pairs(options.tasks, **shape)
    else:
        study, key = design_instances(options.tasks[0], n_per_label=options.per_label, **shape)
    balance = measure_balance(tabulate_assignments(study, key))
    paths = write_instruments(study, key, options.folder)
    lines = [f"{study.study}: {n_items} items, {n_workers} slots; source of the texts: {study.texts_from}"]
    lines += [balance.to_string(index=False), *map(str, paths)]
    return "\n".join([*lines, "Give form.html to workers 1 to " + f"{n_workers}; keep private/ to yourself."])


def _measure_power(options: argparse.Namespace) -> str:
    import numpy as np

    from synthlib.crowd import power, simulate

    pairs, rng = options.kind == "pairs", np.random.default_rng(options.seed)
    per_worker = options.per_worker
    if per_worker is None:
        per_worker = 10 if pairs else 20
    shared = {"n_workers": options.workers, "per_worker": per_worker, "rng": rng}
    shared |= {"spammer_share": options.spammers, "n_simulations": options.simulations}
    shared |= {"confidence": options.confidence}
    if pairs:
        scores = simulate.spread_scores([str(number) for number in range(options.items)], spread=options.spread)
        true = np.array(list(scores.values()))
        widths = power.simulate_pairs(true, noise=options.noise, regularisation=0.01, **shared)
        assumed = f"true scores spread by {options.spread}, noise {options.noise}"
    else:
        chances = {"agreement_mean": options.agreement, "agreement_spread": options.agreement_spread}
        widths = power.simulate_instances(options.items, n_labels=options.labels, **chances, **shared)
        assumed = f"mean agreement {options.agreement}, spread {options.agreement_spread}, {options.labels} labels"
    assumed += f", {options.spammers:.0%} spammers, {per_worker} items per worker"
    return f"assumed: {assumed}; {options.simulations} simulations\n{widths.round(3).to_string(index=False)}"


def _collect(options: argparse.Namespace) -> str:
    from synthlib.crowd.collect import read_votes
    from synthlib.crowd.export import export_votes
    from synthlib.crowd.flags import Rule, flag_workers, keep_votes
    from synthlib.crowd.pseudonyms import SALT, open_salt
    from synthlib.crowd.report import describe_collection
    from synthlib.crowd.study import PRIVATE, count_items, read_key, read_study

    study = read_study(options.folder)
    key = read_key(options.folder, study)
    rule = Rule(options.min_seconds, options.straight_from, tuple(options.exclude))
    salt_file = options.salt or options.folder / PRIVATE / SALT
    if salt_file.parent.resolve() == options.votes.resolve():
        raise ValueError(f"the salt {salt_file} must not lie in the folder of votes")
    rename = dict(_split_rename(pair) for pair in options.rename)
    found = read_votes(options.files, study, key, salt=open_salt(salt_file), rename=rename, encoding=options.encoding)
    workers = flag_workers(found.votes, rule, per_worker=count_items(study, key))
    kept, account = keep_votes(found.votes, workers, rule)
    said = describe_collection(found, workers, account)
    try:
        paths = export_votes(kept, workers, account, study=study, rule=rule, folder=options.votes)
    except ValueError as error:
        raise ValueError(f"{error}\n{said}") from None
    return "\n".join([said, *map(str, paths)])


def _split_rename(pair: str) -> tuple[str, str]:
    theirs, sign, ours = pair.partition("=")
    if not (theirs and sign and ours):
        raise ValueError(f"--rename takes THEIRS=OURS, such as rater=worker; got {pair!r}")
    return theirs, ours


def _use_label_studio(options: argparse.Namespace) -> str:
    import json

    from synthlib.crowd.labelstudio import Server
    from synthlib.crowd.study import read_study

    if not os.environ.get(TOKEN):
        raise ValueError(f"{TOKEN} is not set; take an access token from Account & Settings of Label Studio")
    study, server = read_study(options.folder), Server(options.url, os.environ[TOKEN])
    if options.action == "create":
        project = server.create_project(study)
        return f"project {project}: {options.url.rstrip('/')}/projects/{project}"
    if options.project is None or options.file is None:
        raise ValueError("export needs --project and --file")
    tasks = server.export(options.project)
    options.file.write_text(json.dumps(tasks, ensure_ascii=False), encoding="utf-8")
    return f"{len(tasks)} annotated tasks in {options.file}; it names annotators by number: keep it to yourself"


def _ask_panel(options: argparse.Namespace) -> str:
    import json

    import yaml

    from synthlib import params
    from synthlib.asking.backends import MODELS
    from synthlib.crowd.panel import ask_panel
    from synthlib.crowd.study import read_study
    from synthlib.crowd.tables import read_text

    try:
        fields = yaml.safe_load(read_text(options.llm)) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{options.llm} is no YAML: {error}") from None
    if not isinstance(fields, dict):
        raise ValueError(f"{options.llm}: not a mapping of names to values")
    llm = params.check(MODELS[options.backend], fields)
    personas = [line.strip() for line in read_text(options.personas).splitlines() if line.strip()]
    sittings = ask_panel(read_study(options.folder), personas, llm)
    options.file.write_text(json.dumps(sittings, indent=1, ensure_ascii=False), encoding="utf-8")
    n_answers = sum(len(sitting["answers"]) for sitting in sittings)
    return f"{n_answers} answers of {len(sittings)} language-model personas (not people) in {options.file}"
