"""The reference path on a GPU: the CPU's numbers, but for rounding."""

import json
import re

import pytest

from reference.logistic import STAGES
from reference.train import main
from tests.cuda.conftest import ROWS
from tests.reference.climbing import IN_TORCH, RUNGS, climb

pytestmark = pytest.mark.cuda

DEVICES = ("cpu", "cuda")
NUMBER = re.compile(r"\d\.\d{4}")


@pytest.mark.parametrize(
    "options",
    [
        *(f"--stage {stage}" for stage in STAGES),
        "--model mlp --optimizer adam --shuffle",
        "--model cnn --momentum 0.9",
    ],
)
def test_training_gives_the_same_losses(options, digits, tmp_path):
    def history(device):
        report = tmp_path / f"{device}.json"
        given = ["--data", str(digits), "--json", str(report), "--device", device]
        assert main([*given, *options.split()]) == 0
        return json.loads(report.read_text())["history"]

    for cpu, cuda in zip(*map(history, DEVICES), strict=True):
        for loss in ("train_loss", "valid_loss"):
            assert cuda[loss] == pytest.approx(cpu[loss], rel=1e-4)
        for accuracy in ("train_accuracy", "valid_accuracy"):
            assert cuda[accuracy] == pytest.approx(cpu[accuracy], abs=2.5 / ROWS)


@pytest.fixture(scope="module")
def climbed(digits):
    """What the rungs print on each device."""
    return {device: climb(IN_TORCH, digits, "--device", device) for device in DEVICES}


@pytest.mark.parametrize("name", RUNGS)
def test_a_rung_prints_nearly_the_same(name, climbed):
    cpu, cuda = (climbed[device][name] for device in DEVICES)
    assert NUMBER.sub("#", cuda) == NUMBER.sub("#", cpu)
    losses, accuracies = (
        [
            [float(each) for each in re.findall(f"{what} ({NUMBER.pattern})", text)]
            for text in (cuda, cpu)
        ]
        for what in ("loss", "accuracy")
    )
    assert len(losses[0]) >= 2
    assert losses[0] == pytest.approx(losses[1], abs=2.5e-4)
    assert accuracies[0] == pytest.approx(accuracies[1], abs=2.5 / ROWS)
