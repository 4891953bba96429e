"""The notebook that the project grew from prints the same text on both engines."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOK = ROOT.parent / "shared" / "seeds" / "000_4b7d2e5dff6f8247.txt"

DOWNLOAD = "import requests"
"""Marks the cell that fetches MNIST; the tests have a folder with it instead."""
BY_ACCIDENT = re.compile(r"^from (?:turtle|IPython)\b.*\n", re.MULTILINE)
PICTURE = re.compile(r"^(?:import matplotlib\.pyplot as plt|plt\.imshow\(.*)\n", re.MULTILINE)

PREAMBLE = """
from pathlib import Path

PATH = Path({folder!r})
FILENAME = "mnist.pkl.gz"
"""
CLOSING = "print(loss_func(model(xb), yb), accuracy(model(xb), yb))\n"

IMPORTS = {
    "import torch\n": "import tinygrad_mnist as torch\n",
    "import torch.nn.functional as F\n": "import tinygrad_mnist.nn.functional as F\n",
    "from torch import nn\n": "from tinygrad_mnist import nn\n",
}


@pytest.fixture(scope="module")
def cells():
    """The notebook's cells of code, without those that a program has no use for."""
    if not NOTEBOOK.is_file():
        pytest.skip(f"no notebook at {NOTEBOOK}")
    found = re.findall(r"^```python\n(.*?)^```", NOTEBOOK.read_text("utf-8"), re.DOTALL | re.M)
    kept = [PICTURE.sub("", BY_ACCIDENT.sub("", cell)) for cell in found if DOWNLOAD not in cell]
    assert len(kept) == len(found) - 1
    return kept


def program(cells, folder, seed):
    """The cells as one program for PyTorch; the loss after the last training is printed too."""
    seeded = [
        cell.replace("import torch\n", f"import torch\n\ntorch.manual_seed({seed})\n")
        for cell in cells
    ]
    return "\n".join([PREAMBLE.format(folder=str(folder)), *seeded, CLOSING])


def on_our_engine(code):
    """The same code with its imports changed."""
    for theirs, ours in IMPORTS.items():
        assert re.findall(f"^{re.escape(theirs)}", code, re.MULTILINE) == [theirs]
        code = re.sub(f"^{re.escape(theirs)}", ours, code, flags=re.MULTILINE)
    assert not re.search(r"^\s*(?:import|from) torch\b", code, re.MULTILINE)
    return code


def printed(code):
    """What the code prints in a process of its own."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("seed", [0])
def test_both_engines_print_the_same(seed, cells, mnist_directory):
    code = program(cells, mnist_directory, seed)
    in_torch = printed(code)
    assert printed(on_our_engine(code)) == in_torch
    shape, size, labels, *predictions, before, accuracy, after, again, fresh, fitted = (
        in_torch.splitlines()
    )
    assert (shape, size) == ("(50000, 784)", "torch.Size([50000, 784])")
    assert labels == "tensor(0) tensor(9)"
    assert predictions[-1].endswith("grad_fn=<SelectBackward0>) torch.Size([64, 10])")
    for line in (before, after):
        assert re.fullmatch(r"tensor\(.*, grad_fn=<NegBackward0>\).*", line)
    for line in (again, fresh, fitted):
        assert re.fullmatch(r"tensor\(.*, grad_fn=<NllLossBackward0>\).*", line)
    assert re.fullmatch(r"tensor\(0\.\d+\)", accuracy)
