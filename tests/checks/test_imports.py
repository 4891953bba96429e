"""The check of imports sees every import, and tells each kind of wrong one."""

import pytest

from checks import imports

GOOD = {
    "core/record.py": "import numpy as np\n",
    "engine/calls.py": "from tinygrad_mnist.core import record\n",
    "app/train.py": "import tinygrad_mnist as torch\n",
}
WRONG = {
    "more than NumPy": ("core/record.py", "import numba\n", "core imports NumPy alone"),
    "torch": ("nn/linear.py", "def f():\n    import torch\n", "PyTorch is imported"),
    "torch at the top": ("tools/parity.py", "import torch\n", "PyTorch is imported"),
    "more of ours": ("core/record.py", "from ..engine import calls\n", "core imports NumPy alone"),
    "a circle for type checkers": (
        "ops/exp.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import log\n",
        "a circle of imports: ",
    ),
    "a circle": (
        "ops/exp.py",
        "def f():\n    from .log import g\n",
        "a circle of imports: ",
    ),
}


def house(root, extra):
    """A small package: good files, and one more."""
    for name, text in {
        **GOOD,
        "ops/exp.py": "",
        "ops/log.py": "from .exp import f\n",
        **extra,
    }.items():
        path = root / "tinygrad_mnist" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for folder in (root / "tinygrad_mnist", *(root / "tinygrad_mnist").iterdir()):
        if folder.is_dir():
            (folder / "__init__.py").touch()


def test_a_good_house(tmp_path):
    house(tmp_path, {})
    assert imports.broken(tmp_path) == []


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_told(tmp_path, kind):
    name, text, told = WRONG[kind]
    house(tmp_path, {name: text})
    assert any(told in line for line in imports.broken(tmp_path)), imports.broken(tmp_path)
