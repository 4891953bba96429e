"""The scan of scripts tells what they need that is not there."""

import json

import pytest

from checks import scripts

LOOP = """
import torch, torch.nn as nn
from torch import fft, optim
from torch.nn import functional as F
import torchnowhere.layers
import numpy as np
import steps

try:
    from torch import jit_of_tomorrow
except ImportError:
    pass
here = torch.device
if torch.cuda.is_available():
    torch.cuda.not_without_one()
else:
    there = here("cpu").type
layer = nn.Linear(2, 2, bias=False, shape_of_things=3)
spectrum = fft.rfft(torch.ones(4)).view_as_real()
np.linalg.sparse_mask(2)
F.softmax(layer(torch.ones(2)), dim=0).sum().backward()
"""
STEPS = "from torch.utils.tomorrow import step\nimport torch\ntorch.ones(2).addmm_().to_mkldnn()\n"
CELLS = [
    "%matplotlib inline\nimport torch as t",
    "x = t.ones(2)\nx.is_of_tomorrow",
    "t.nn.Tomorrow",
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train.py").write_text(LOOP)
    (tmp_path / "steps.py").write_text(STEPS)
    (tmp_path / "fine.py").write_text("import torch\nprint(torch.ones(2).add_(1))\n")
    (tmp_path / "old.py").write_text("import torch\nprint torch.ones(2)\n")
    (tmp_path / "other.py").write_text("print('no torch')\n")
    cells = [{"cell_type": "code", "source": source} for source in CELLS]
    (tmp_path / "lesson.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}}))
    return tmp_path


def test_names_are_resolved(folder):
    needs = scripts.needs_of(folder / "train.py", frozenset({"view_as_real", "sparse_mask"}))
    assert needs.names >= {
        "torch.nn.Linear", "torch.fft.rfft", "torch.nn.functional.softmax", "torch.device",
        "torchnowhere.layers", "torch.Tensor.view_as_real", "torch.cuda.is_available",
    }  # fmt: skip
    assert not needs.names & {
        "torch.jit_of_tomorrow", "torch.cuda.not_without_one", "torch.Tensor.sparse_mask",
    }  # fmt: skip
    assert ("torch.nn.Linear", "bias") in needs.keywords
    assert needs.trains


def test_a_folder_is_scanned(folder, capsys, monkeypatch):
    theirs = scripts.Answer({}, {}, frozenset({"to_mkldnn", "addmm_", "is_of_tomorrow"}))
    ask = scripts.ask

    def without_pytorch(needs=(), answered=True):
        return ask(needs, answered) if answered else theirs

    monkeypatch.setattr(scripts, "ask", without_pytorch)
    found = scripts.scan([folder])
    assert found.missing == {
        folder / "fine.py": set(),
        folder / "lesson.ipynb": {"torch.Tensor.is_of_tomorrow", "torch.nn.Tomorrow"},
        folder / "steps.py": {"torch.utils.tomorrow", "torch.Tensor.to_mkldnn"},
        folder / "train.py": {
            "torch.fft", "torch.nn.Linear(shape_of_things=)", "torchnowhere.layers",
            "torch.utils.tomorrow", "torch.Tensor.to_mkldnn",
        },
    }  # fmt: skip
    assert found.training == {folder / "train.py"}
    assert len(found.unreadable) == 1
    assert found.share() == "1 of 4 (25.0 %)"
    assert found.by_need()[0] == (
        "torch.Tensor.to_mkldnn", [folder / "steps.py", folder / "train.py"]
    )  # fmt: skip
