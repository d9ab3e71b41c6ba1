"""How long the runner takes and how much memory: from nothing, again unchanged, and after an edit of prose.

``python benchmarks/bench_run.py [params/companion.yaml] [--repeats 1]``; results/ is left alone.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil

from synthlib import paths
from synthlib.runner import jobs, notebooks, profiles, report


def proportional_bytes(process: psutil.Process) -> int:
    """Return the memory of a process and all below it; what they share is counted once (PSS, Linux)."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_full_info().pss
        except psutil.Error:  # it has ended meanwhile
            continue
    return total


def run(profile: Path, results: Path) -> tuple[float, float]:
    """Run a profile into ``results``; return wall seconds and peak memory in GB."""
    command = [sys.executable, "-m", "synthlib.run", str(profile)]
    clock, peak = time.perf_counter(), 0
    environment = os.environ | {"SYNTHLIB_RESULTS": str(results)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, proportional_bytes(psutil.Process(process.pid)))
            time.sleep(0.5)  # reading what is shared is slow, and would take a share of a core
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
    return time.perf_counter() - clock, peak / 1e9


def count_reruns(profile: Path, results: Path, folder: Path) -> tuple[int, int]:
    """Return how many jobs would run again after editing the prose, and then the code, of one notebook (on a copy)."""
    shutil.copytree(paths.NOTEBOOKS, folder)
    paths.NOTEBOOKS, paths.RESULTS = folder, results
    path = min(folder.glob("*.ipynb"))
    notebook = notebooks.read_notebook(path)
    counts = []
    for kind in ("markdown", "code"):
        cell = next(c for c in reversed(notebook["cells"]) if c["cell_type"] == kind)
        cell["source"] = notebooks.source(cell) + "\n# edited"
        notebooks.write_notebook(notebook, path)
        planned = jobs.plan(profiles.load_profile(profile)).values()
        counts.append(sum(not jobs.is_finished(job) for job in planned))
    return counts[0], counts[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", type=Path, nargs="?", default=paths.PARAMS / "companion.yaml")
    parser.add_argument("--repeats", type=int, default=1, help="runs from nothing")
    options = parser.parse_args()
    first = []
    with tempfile.TemporaryDirectory() as name:
        for repeat in range(options.repeats):
            results = Path(name) / str(repeat)
            first.append(run(options.profile, results))
        again = [run(options.profile, results) for _ in range(5)]
        prose, code = count_reruns(options.profile, results, Path(name) / "notebooks")
    rows = []
    for what, measured in (("from nothing", first), ("again, unchanged", again)):
        seconds, memory = (median(values) for values in zip(*measured, strict=True))
        ratio = median(wall for wall, _ in first) / seconds
        rows.append([what, str(len(measured)), f"{seconds:.1f}", f"{memory:.2f}", f"{ratio:.0f}x"])
    print(f"{options.profile.name} on {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(report.format_table(["run", "times", "seconds (median)", "peak GB", "faster by"], rows))
    print(f"jobs to run again after an edit of the first notebook's prose: {prose}; of its code: {code}")


if __name__ == "__main__":
    main()
