"""Kernels that start with the large libraries loaded.

Every job has a kernel of its own, and each would spend seconds on importing the same libraries. On Linux a process of
the runner loads them once; kernels are forked from one that has these modules and nothing else.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from types import ModuleType
from typing import Any

from jupyter_client import AsyncKernelManager

from synthlib.runner.pools import end_with_parent

#: Imported by most notebooks, and slow. Not pandas, which asks at import whether it is in a notebook, nor what imports
#: it; and nothing of this project, so that a kernel always has its code as it is now.
LOADED = ("ipykernel.kernelapp", "torch", "matplotlib.pyplot", "scipy.stats")
LAUNCHER = "ipykernel_launcher"


def can_fork() -> bool:
    """Tell whether this process may fork kernels: on Linux, and not in a dask worker, which may have no children."""
    return sys.platform == "linux" and not multiprocessing.current_process().daemon


class ForkingKernelManager(AsyncKernelManager):
    """Starts a kernel as a fork of a process that has :data:`LOADED`; one of another Python as ever."""

    async def _async_launch_kernel(self, kernel_cmd: list[str], **how: Any) -> None:
        if kernel_cmd[0] != sys.executable or LAUNCHER not in kernel_cmd:
            await super()._async_launch_kernel(kernel_cmd, **how)
            return
        arguments = kernel_cmd[kernel_cmd.index(LAUNCHER) + 1 :]
        self.provisioner.process = process = Fork(arguments, how["env"], how.get("cwd") or os.getcwd())
        self.provisioner.pid = self.provisioner.pgid = process.pid


class Fork:
    """A forked kernel, with what jupyter_client asks of a ``subprocess.Popen``."""

    stdin = stdout = stderr = None

    def __init__(self, arguments: list[str], environment: dict[str, str], folder: str) -> None:
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as a kernel sets it
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(LOADED))
        self._process = context.Process(target=_become_kernel, args=(arguments, environment, folder))
        # Without another main module in its place, the fork would import the runner's, and pandas with it.
        runner, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
        try:
            self._process.start()
        finally:
            sys.modules["__main__"] = runner
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Return how the process ended, None while it runs."""
        return self._process.exitcode

    def wait(self) -> int | None:
        """Wait for the end, and return how it was."""
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal to the process alone."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def terminate(self) -> None:
        """Ask the process to end."""
        self._process.terminate()


def _become_kernel(arguments: list[str], environment: dict[str, str], folder: str) -> None:
    from ipykernel.kernelapp import launch_new_instance
    from tqdm import tqdm

    os.setsid()  # Ctrl-C is the runner's
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tqdm.set_lock(threading.RLock())  # its own, for several processes, would be left behind when the kernel is killed
    threading.Thread(target=end_with_parent, daemon=True).start()  # else it would outlive a runner that is killed
    launch_new_instance(argv=arguments)
