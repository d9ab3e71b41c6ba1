"""The ``synthlib`` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from synthlib import paths
from synthlib.crowd import command as crowd

GENERATE_STATUS = (
    "exit status: 0 done; 1 the model cannot be asked or a limit is reached (max_usd, max_calls): what is paid is "
    "kept; 2 something given is at fault; 3 not confirmed, nothing was asked; 130 interrupted: what is paid is kept"
)


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; return the exit status."""
    parser = argparse.ArgumentParser(prog="synthlib", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_build(commands)
    released = commands.add_parser("release", help="put a finished run into notebooks/, data/results/ and README.md")
    released.add_argument("profile", type=Path, nargs="?", default=paths.PARAMS / "companion.yaml")
    released.add_argument(
        "--only", metavar="STAGE", help="this stage's tables alone, no notebook: fine-tuned ones, say"
    )
    estimate = commands.add_parser("estimate", help="what the texts of a profile would cost; nothing is asked")
    estimate.add_argument("profile", type=Path)
    _add_generate(commands)
    _add_calls(commands)
    _add_report(commands)
    crowd.add_parser(commands)
    options = parser.parse_args(arguments)
    reporting = {
        "build-features": _build_features,
        "build-vectors": _build_vectors,
        "release": _release,
        "estimate": _estimate,
        "calls": _move_calls,
        "report": _make_report,
        "crowd": crowd.run,
    }
    if options.command in reporting:
        return _report(reporting[options.command], options)
    return _generate(options)


def _add_build(commands: argparse._SubParsersAction) -> None:
    build = commands.add_parser("build-features", help="rebuild data/features and people's votes from the real texts")
    build.add_argument("texts", type=Path, help="folder with one parquet file per task")
    build.add_argument("annotations", type=Path, help="folder with annot_<set>/annotations.parquet")
    build.add_argument("--only", nargs="+", default=[], metavar="SET", help="annotated sets; all else stays as it is")
    encoded = commands.add_parser("build-vectors", help="rebuild data/vectors from the texts of data/corpora")
    for encoding in (build, encoded):
        encoding.add_argument("--encoder", default="all-MiniLM-L6-v2")
        encoding.add_argument("--device", default="auto")


def _add_calls(commands: argparse._SubParsersAction) -> None:
    calls = commands.add_parser("calls", help="write or take in the answers of a store of calls, as JSON lines")
    calls.add_argument("action", choices=["export", "import"])
    calls.add_argument("store", help="its name: llm.store")
    calls.add_argument("file", type=Path, help="note before publishing it: few-shot questions hold real texts")


def _add_report(commands: argparse._SubParsersAction) -> None:
    made = commands.add_parser("report", help="how subjective a task of your own is, from votes: a page and a notebook")
    made.add_argument("--votes", type=Path, required=True, help="folder of votes, as `crowd collect` writes it")
    made.add_argument("--task", help="its name; may be left out where the votes are on the texts of one task")
    made.add_argument("--output", type=Path, default=Path("report.html"), help="the page; default: report.html")


def _add_generate(commands: argparse._SubParsersAction) -> None:
    generate = commands.add_parser(
        "generate",
        help="texts of a profile's tasks: estimate, ask, write parquet, card and ledger",
        description="Write texts as notebook 02_generate does, with the same calls: nothing is paid twice. A profile "
        "whose backend is released is replayed at no cost.",
        epilog=GENERATE_STATUS,
    )
    generate.add_argument("profile", type=Path, nargs="?", default=paths.PARAMS / "companion.yaml")
    generate.add_argument("--task", action="append", default=[], help="of params/tasks; may be given again")
    generate.add_argument("--setting", action="append", default=[], help="how texts are asked for; may be given again")
    generate.add_argument("--n-per-label", type=int, help="texts per label and setting")
    generate.add_argument("--output", type=Path, help="holds a folder per task; default: results/generated/<profile>")
    generate.add_argument("--yes", action="store_true", help="ask the model without a question first")


def _generate(options: argparse.Namespace) -> int:
    from synthlib import produce
    from synthlib.asking.patience import CallError
    from synthlib.prompts import clean

    given = {name: getattr(options, name) for name in ("n_per_label", "output", "yes")}
    try:
        return produce.run(options.profile, tasks=options.task, settings=options.setting, **given, say=_say)
    except KeyboardInterrupt:
        said, status = "interrupted. Every answer that came is kept: run the same command to go on", produce.INTERRUPTED
    except produce.NotConfirmedError as error:
        said, status = str(error), produce.NOT_CONFIRMED
    except (ValueError, OSError) as error:
        said, status = str(error), produce.BAD_INPUT
    except CallError as error:
        said, status = str(error), produce.FAILED
    print(f"error: {clean(said, 2000)}", file=sys.stderr)
    return status


def _say(text: str) -> None:
    print(text, flush=True)


def _report(command: Callable[[argparse.Namespace], str], options: argparse.Namespace) -> int:
    try:
        print(command(options))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except RuntimeError as error:  # a notebook failed
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _build_features(options: argparse.Namespace) -> str:
    from synthlib.build import build_features

    build_features(
        options.texts, options.annotations, encoder=options.encoder, device=options.device, only=options.only
    )
    return f"written to {paths.DATA / 'features'}"


def _build_vectors(options: argparse.Namespace) -> str:
    from synthlib.build import build_vectors

    build_vectors(encoder=options.encoder, device=options.device)
    return f"written to {paths.DATA / 'vectors'}"


def _release(options: argparse.Namespace) -> str:
    from synthlib.results import RELEASED
    from synthlib.runner.readme import README, render
    from synthlib.runner.release import release

    names = release(options.profile, only=options.only)
    if options.profile.stem == RELEASED.name and not options.only:
        README.write_text(render(), encoding="utf-8")
    return "\n".join([*names, f"{len(names)} files released"])


def _make_report(options: argparse.Namespace) -> str:
    from synthlib.reporting.report_page import make_report

    page, notebook = make_report(options.votes, options.output, task=options.task)
    return f"{page}\n{notebook} (with its tables and figures)"


def _estimate(options: argparse.Namespace) -> str:
    from synthlib.asking.estimate import estimate_profile

    return estimate_profile(options.profile)


def _move_calls(options: argparse.Namespace) -> str:
    from synthlib.asking.store import Store

    path = paths.CALLS / f"{options.store}.sqlite"
    if options.action == "export" and not path.is_file():
        raise FileNotFoundError(f"no store {path}; there are {sorted(p.stem for p in paths.CALLS.glob('*.sqlite'))}")
    if options.action == "import" and not options.file.is_file():  # before a store is made for it
        raise FileNotFoundError(f"no file {options.file}; name one that `synthlib calls export` has written")
    if options.action == "import" and not options.file.stat().st_size:
        raise ValueError(f"{options.file} is empty; name a file of answers that `synthlib calls export` has written")
    with Store(path, "import") as store:
        if options.action == "export":
            return f"{store.export(options.file)} answers written to {options.file}"
        return f"{store.load(options.file)} new answers taken in from {options.file}"


if __name__ == "__main__":
    raise SystemExit(main())
