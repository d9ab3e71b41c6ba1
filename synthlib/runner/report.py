"""What the runner says: the plan before, the summary after."""

from __future__ import annotations

from synthlib.runner.execute import Outcome
from synthlib.runner.jobs import Job, is_finished, relative


def format_table(head: list[str], rows: list[list[str]]) -> str:
    """Return rows as text in columns: the first two to the left, the others to the right.

    Examples
    --------
    >>> print(format_table(["stage", "cell", "minutes"], [["train", "imdb", "0.4"]]))
    stage  cell  minutes
    train  imdb      0.4
    """
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = []
    for row in [head, *rows]:
        left = [text.ljust(width) for text, width in zip(row[:2], widths[:2], strict=True)]
        right = [text.rjust(width) for text, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join([*left, *right]).rstrip())
    return "\n".join(lines)


def format_minutes(seconds: float | None) -> str:
    """Return seconds as minutes with one digit; unknown is a question mark.

    Examples
    --------
    >>> format_minutes(90), format_minutes(None)
    ('1.5', '?')
    """
    return "?" if seconds is None else f"{seconds / 60:.1f}"


def describe_plan(jobs: dict[str, Job], estimates: dict[str, float], n_jobs: int) -> str:
    """Return the table of jobs with what would be done, and how long that may take with ``n_jobs`` at once."""
    rows, seconds, unknown = [], 0.0, 0
    for job in jobs.values():
        finished = is_finished(job)
        estimate = 0.0 if finished else estimates.get(job.stage)
        seconds, unknown = seconds + (estimate or 0.0), unknown + (estimate is None)
        rows.append([job.stage, job.cell, "hit" if finished else "run", format_minutes(estimate), job.key[:12]])
    n_runs = sum(row[2] == "run" for row in rows)
    total = f"{n_runs} of {len(rows)} jobs to run"
    if unknown < n_runs:
        total += f", about {seconds / 60 / n_jobs:.1f} minutes with {n_jobs} at once"
    if unknown:
        total += f"; {unknown} never ran here, so their time is not known"
    return format_table(["stage", "cell", "", "minutes", "key"], rows) + "\n" + total


def measure_pace(jobs: dict[str, Job], outcomes: dict[str, Outcome], estimates: dict[str, float]) -> float:
    """Return how many times as long as foretold the jobs took that have run; 1 where none was foretold."""
    run = [(outcome.seconds, jobs[name].stage) for name, outcome in outcomes.items() if outcome.status == "run"]
    timed = [(seconds, estimates[stage]) for seconds, stage in run if stage in estimates]
    foretold = sum(estimate for _, estimate in timed)
    return sum(seconds for seconds, _ in timed) / foretold if foretold else 1.0


def describe_progress(
    running: list[Job], waiting: list[Job], estimates: dict[str, float], *, n_at_once: int, pace: float
) -> str:
    """Return what runs now and how long all that is left may take: "over" where the time of a stage is unknown.

    Parameters
    ----------
    pace : float
        :func:`measure_pace`.
    """
    names = ", ".join(job.name for job in running[:3]) + (f" and {len(running) - 3} more" if len(running) > 3 else "")
    known = [estimates[job.stage] for job in (*running, *waiting) if job.stage in estimates]
    if not known:
        return names
    word = "about" if len(known) == len(running) + len(waiting) else "over"
    return f"{word} {sum(known) * pace / 60 / n_at_once:.1f} min left, {names}"


def describe_outcomes(jobs: dict[str, Job], outcomes: dict[str, Outcome]) -> str:
    """Return the summary: a row per stage, where the outputs lie, and every failure."""
    parts, rows = [], []
    for stage in dict.fromkeys(job.stage for job in jobs.values()):
        results = [outcomes[name] for name, job in jobs.items() if job.stage == stage]
        counts = [str(sum(r.status == status for r in results)) for status in ("run", "cached", "failed", "skipped")]
        rows.append([stage, str(len(results)), *counts, f"{sum(r.seconds for r in results):.1f}"])
    for name, outcome in outcomes.items():
        if outcome.status == "failed":
            partial = jobs[name].executed
            kept = f"\nThe notebook up to there, with any traceback: {relative(partial)}" if partial.is_file() else ""
            parts.append(f"--- {name} failed ---\n{outcome.message.rstrip()}{kept}")
    parts += [f"{name} skipped: {outcome.message}" for name, outcome in outcomes.items() if outcome.status == "skipped"]
    parts.append(format_table(["stage", "cells", "run", "cached", "failed", "skipped", "seconds"], rows))
    parts.append(f"outputs: {relative(next(iter(jobs.values())).folder.parent.parent)}/<stage>/<cell>-<key>/")
    return "\n\n".join(parts)
