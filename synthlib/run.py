"""The runner: ``python -m synthlib.run params/companion.yaml`` runs every notebook whose results are not there yet."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from tqdm import tqdm

from synthlib import results
from synthlib.runner.across import check_means
from synthlib.runner.execute import OUT_OF_MEMORY, Outcome, execute
from synthlib.runner.jobs import MANIFEST, Job, estimate_seconds, find_changed, is_finished, plan, record_latest
from synthlib.runner.pools import connect, count_cores, open_pool
from synthlib.runner.profiles import Profile, load_profile
from synthlib.runner.release import publish_figures
from synthlib.runner.report import describe_outcomes, describe_plan, describe_progress, measure_pace

BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} jobs [{elapsed}{postfix}]"
UNSUCCESSFUL = ("failed", "skipped")


def main(arguments: list[str] | None = None) -> int:
    """Run a profile; return 0 if all is there, 1 if a job failed, 2 if the request is at fault, 130 after Ctrl-C."""
    options = _parse(arguments)
    try:
        profile = load_profile(options.profile)
        jobs = plan(profile, only=options.only)
        estimates = estimate_seconds(jobs, profile)
        if options.plan:
            print(describe_plan(jobs, estimates, _count_at_once(options, jobs)))
        if not options.dask:  # its workers may have what this machine has not
            check_means(job for job in jobs.values() if not is_finished(job))
        client = connect(options.dask) if options.dask and not options.plan else None
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.plan:
        return 0
    record_latest([job for job in jobs.values() if is_finished(job)])
    try:
        with open_pool(_count_at_once(options, jobs), client) as (executor, n_at_once):
            outcomes = run_jobs(jobs, executor, n_at_once=n_at_once, estimates=estimates)
    except KeyboardInterrupt:
        n_finished = sum(is_finished(job) for job in jobs.values())
        print(f"\nstopped: {n_finished} of {len(jobs)} jobs are finished and kept; the same command goes on from there")
        return 130
    print(describe_outcomes(jobs, outcomes))
    mixed = _forget_mixed(jobs, outcomes)
    if mixed:
        print(f"files were edited while these ran, so run them again: {', '.join(mixed)}")
    if mixed or any(outcome.status in UNSUCCESSFUL for outcome in outcomes.values()):
        return 1
    if profile.publish:
        print(_publish(jobs, profile, options.only))
    return 0


def _count_at_once(options: argparse.Namespace, jobs: dict[str, Job]) -> int:
    return max(1, min(options.jobs or count_cores(), sum(not is_finished(job) for job in jobs.values())))


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m synthlib.run", description=__doc__)
    parser.add_argument("profile", type=Path, help="a file of params/, say params/companion.yaml")
    parser.add_argument("--plan", action="store_true", help="show what would run and how long; start nothing")
    parser.add_argument("--only", metavar="STAGE", help="run this stage and what it needs")
    parser.add_argument("--jobs", type=int, metavar="N", help="jobs at once (default: one a core)")
    parser.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="run on a dask cluster, say tcp://head:8786; where its workers have GPU tokens "
        "(dask worker ... --nthreads 1 --resources GPU=1) every job takes one",
    )
    options = parser.parse_args(arguments)
    if options.jobs is not None and options.jobs < 1:
        parser.error(f"--jobs must be 1 or more, not {options.jobs}")
    return options


def _forget_mixed(jobs: dict[str, Job], outcomes: dict[str, Outcome]) -> list[str]:
    """Mark as unfinished, and name, the jobs that ran while a file that decides their key was edited.

    Nobody can tell whether they read the file before or after the edit.
    """
    changed = find_changed(jobs)
    mixed = [name for name in jobs if name in changed and outcomes[name].status == "run"]
    for name in mixed:
        (jobs[name].folder / MANIFEST).unlink()
    return mixed


def _publish(jobs: dict[str, Job], profile: Profile, only: str | None) -> str:
    if only is not None:
        return f"figures/ is left as it is: --only {only} is not the whole study"
    if profile.name != results.RELEASED.name:
        return (
            f"figures/ is left as it is: it shows the released run, {results.RELEASED.name}. The figures of this one "
            f"lie in its folders; in the profile {profile.name}, set publish to false"
        )
    changed = publish_figures(jobs, shown_task=profile.shown_task)
    return f"figures/: {len(changed)} file(s) changed" + "".join(f"\n  {name}" for name in changed)


def run_jobs(
    jobs: dict[str, Job], executor: Executor, *, n_at_once: int, estimates: dict[str, float]
) -> dict[str, Outcome]:
    """Run jobs as soon as those they read are done; return how each went.

    A failed job stops nothing but the jobs that read it, directly or through others: these are skipped.

    Parameters
    ----------
    jobs : dict of str to Job
        By name, every job after those it reads.
    n_at_once : int
        The executor is given no more jobs than this at a time.
    estimates : dict of str to float
        Seconds that a job of a stage may take, for the time left.
    """
    outcomes = {name: Outcome("cached") for name, job in jobs.items() if is_finished(job)}
    waiting = {name: job for name, job in jobs.items() if name not in outcomes}
    running: dict[Future, Job] = {}
    refresh = 1 if sys.stderr.isatty() else None  # seconds; a log file gets a line only when a job ends
    with tqdm(total=len(jobs), initial=len(outcomes), bar_format=BAR, miniters=1) as bar:
        while waiting or running:
            _skip(waiting, outcomes)
            ready = [job for job in waiting.values() if job.inputs.keys() <= outcomes.keys()]
            for job in ready[: n_at_once - len(running)]:
                running[executor.submit(execute, job)] = waiting.pop(job.name)
            left = [*running.values()], [*waiting.values()]
            pace = measure_pace(jobs, outcomes, estimates)
            bar.set_postfix_str(describe_progress(*left, estimates, n_at_once=n_at_once, pace=pace))
            for future in wait(running, timeout=refresh, return_when=FIRST_COMPLETED).done:
                job = running.pop(future)
                outcomes[job.name] = _outcome(future)
                if outcomes[job.name].status not in UNSUCCESSFUL:
                    record_latest([job])
            bar.update(len(outcomes) - bar.n)
        bar.set_postfix_str("")
    return outcomes


def _skip(waiting: dict[str, Job], outcomes: dict[str, Outcome]) -> None:
    """Move the jobs that read a failed or skipped one from ``waiting`` to ``outcomes``; parents come first in it."""
    for name, job in list(waiting.items()):
        lost = [parent for parent in job.inputs if parent in outcomes and outcomes[parent].status in UNSUCCESSFUL]
        if lost:
            outcomes[name] = Outcome("skipped", message=f"it reads {', '.join(lost)}")
            del waiting[name]


def _outcome(future: Future) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:
        return Outcome("failed", message=f"The process that ran it was killed. {OUT_OF_MEMORY}")
    except Exception as error:  # a worker lost by a cluster, say; the other jobs go on
        return Outcome("failed", message=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    raise SystemExit(main())
