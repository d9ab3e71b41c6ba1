"""The lock file, pyproject.toml and environment.yml name the same packages."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKED = dict(re.findall(r"^([a-z0-9-]+)==(\S+)$", (ROOT / "requirements.lock").read_text(), flags=re.M))


def test_lock_satisfies_every_direct_dependency():
    wanted = [Requirement(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]]
    assert len(wanted) > 20
    for requirement in wanted:
        assert requirement.name in LOCKED, f"{requirement.name} is not locked: make lock"
        assert requirement.specifier.contains(LOCKED[requirement.name]), requirement


def test_lock_pins_the_plain_torch_build_without_cuda_packages():
    assert re.fullmatch(r"[0-9.]+", LOCKED["torch"])
    assert not [name for name in LOCKED if name.startswith(("nvidia-", "triton"))]


def test_conda_environment_takes_python_and_the_same_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (python,) = [d for d in environment["dependencies"] if str(d).startswith("python=")]
    version = python.removeprefix("python=")
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(version)
    (pip,) = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict)]
    assert pip == ["-r requirements.lock", "-e ."]


def test_no_library_module_imports_a_package_that_is_not_a_direct_dependency():
    modules = {
        "sklearn": "scikit-learn",
        "yaml": "pyyaml",
        "IPython": "jupyterlab",
        "ipykernel": "jupyterlab",
        "jupyter_client": "jupyterlab",
        "jupyter_core": "jupyterlab",
        "traitlets": "jupyterlab",
    }
    direct = {Requirement(line).name for line in PROJECT["dependencies"]}
    for path in (ROOT / "synthlib").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
        for name in {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"synthlib"}:
            assert modules.get(name, name) in direct, f"{path.name} imports {name}"
