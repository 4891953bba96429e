"""The core alone: its size, its imports, and a model trained by it with nothing else there."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
CORE = HERE.parents[1] / "tinygrad_mnist" / "core"
FILES = sorted(CORE.glob("*.py"))


def test_it_is_read_in_one_sitting():
    assert sum(len(path.read_text().splitlines()) for path in FILES) <= 300
    assert [path.stem for path in FILES] == ["__init__", "backward_pass", "primitive", "record"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_imports_numpy_alone(path):
    """Not even for type checkers, or inside a function; its own files in one direction."""
    below = {"record": set(), "primitive": {"record"}, "backward_pass": {"record", "primitive"}}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level == 1
            assert node.module in below[path.stem]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = (
                [node.module] if isinstance(node, ast.ImportFrom) else [n.name for n in node.names]
            )
            assert {name.partition(".")[0] for name in names} <= {"numpy", *sys.stdlib_module_names}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What the program prints that trains a model in a folder with nothing but the core."""
    folder = tmp_path_factory.mktemp("core_alone")
    shutil.copytree(CORE, folder / "core")
    for name in ("ten_operations.py", "train_logistic.py"):
        shutil.copy(HERE / name, folder)
    program = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); sys.modules['tinygrad_mnist'] = None; "
        "import train_logistic"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", program], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_nothing_else_is_loaded(trained):
    ours = [name for name in trained["modules"] if name.startswith(("tinygrad_mnist", "core"))]
    assert sorted(ours) == ["core", "core.backward_pass", "core.primitive", "core.record",
                            "tinygrad_mnist"]  # fmt: skip


def test_losses_are_those_of_numpy_by_hand(trained):
    np.testing.assert_allclose(trained["losses"], trained["by hand"], rtol=1e-12)
    assert trained["losses"][-1] < trained["losses"][0] / 2


def test_second_derivatives(trained):
    assert trained["slopes"] == pytest.approx([12, 12, 1 / 9, -2 / 27])
    np.testing.assert_allclose(trained["Hessian"], trained["by differences"], rtol=1e-6, atol=1e-9)
