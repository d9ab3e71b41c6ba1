"""Forked kernels: libraries are loaded, all else is as in a fresh one; what was killed does not matter to the next."""

import os
import signal
import sys
from types import ModuleType

import nbclient
import nbformat
import pytest

from synthlib.runner import kernels

pytestmark = pytest.mark.skipif(not kernels.can_fork(), reason="kernels are forked on Linux only")
ASK = """
import os, sys
loaded = [name in sys.modules for name in ("torch", "pandas", "synthlib.paths")]
print(*loaded, os.getcwd(), os.environ.get("KERNEL_TEST"))
here = "left behind"
"""
DRAW = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"


def ask(folder, *cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(
        notebook,
        kernel_name="python3",
        kernel_manager_class=kernels.ForkingKernelManager,
        resources={"metadata": {"path": str(folder)}},
        shutdown_kernel="immediate",
    )
    client.execute()
    return [cell["outputs"] for cell in notebook["cells"]]


def test_a_kernel_has_the_libraries_and_nothing_of_another_kernel(tmp_path, monkeypatch):
    monkeypatch.setenv("KERNEL_TEST", "first")
    main = ModuleType("__main__")
    main.__file__ = str(tmp_path / "main.py")
    (tmp_path / "main.py").write_text("import pandas")  # as a runner's main module may: the kernel must not
    monkeypatch.setitem(sys.modules, "__main__", main)
    (first,), (*_, figure) = ask(tmp_path, ASK, DRAW)
    assert first["text"].split() == ["True", "False", "False", str(tmp_path), "first"]
    assert "image/png" in figure["data"]
    monkeypatch.setenv("KERNEL_TEST", "second")
    (left,), (second,) = ask(tmp_path.parent, "print('here' in dir())", ASK)
    assert left["text"] == "False\n" and second["text"].split()[3:] == [str(tmp_path.parent), "second"]


def test_where_the_process_that_forks_was_killed_the_next_kernel_has_another(tmp_path):
    with pytest.raises(nbclient.exceptions.DeadKernelError):
        ask(tmp_path, f"import os, time\nos.kill(os.getppid(), {signal.SIGKILL:d})\ntime.sleep(60)")
    ((output,),) = ask(tmp_path, "print(6 * 7)")
    assert output["text"] == "42\n"


def test_a_kernel_of_another_kind_is_started_as_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "LAUNCHER", "another_kernel")
    ((output,),) = ask(tmp_path, "import os, sys; print('torch' in sys.modules, os.getppid())")
    assert output["text"].split() == ["False", str(os.getpid())]
