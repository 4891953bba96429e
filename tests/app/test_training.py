"""The training job as a library: settings, data, what is watched, what is left behind."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import reference.logistic
import tinygrad_mnist as torch
from tinygrad_mnist.app import logistic, report, train
from tinygrad_mnist.app.datasets import DataError, synthetic
from tinygrad_mnist.app.datasets.digits import from_pixels

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def digits():
    parts = [synthetic.draw(count, seed) for seed, count in enumerate((200, 100, 10))]
    return from_pixels(parts, "synthetic", "a few digits").map(torch.from_numpy)


def test_model_is_the_references_with_its_import_changed():
    ours = (ROOT / "tinygrad_mnist" / "app" / "logistic.py").read_text()
    theirs = Path(reference.logistic.__file__).read_text()

    def code(text, name):
        body = re.search(rf"^(?:def|class) {name}\b.*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
        return re.sub(r'""".*?"""|  # type: .*?$', "", body.group(), flags=re.DOTALL | re.M).strip()

    for name in ("log_softmax", "nll", "accuracy", "Logistic", "_tensor_job", "_module_job"):
        assert code(ours, name) == code(theirs, name)


def test_from_scratch_loss_is_cross_entropy():
    x, y = torch.randn(5, 10), torch.randint(0, 10, (5,))
    expected = torch.nn.functional.cross_entropy(x, y)
    assert torch.allclose(logistic.nll(logistic.log_softmax(x), y), expected)


def test_unknown_stage():
    with pytest.raises(ValueError, match="stage 'cooked': expected one of raw, functional, module"):
        logistic.build("cooked")


def test_a_seed_repeats(digits):
    def losses(seed):
        result = train.train(train.Settings(lr=0.1, seed=seed), digits)
        return [epoch.train_loss for epoch in result.history]

    first = losses(1)
    assert losses(1) == first
    assert losses(2) != first


def test_a_watch_sees_every_step_and_epoch(digits):
    seen = []

    class Callback(train.Callback):
        def step(self, rows, loss):
            seen.append((rows, loss.shape))

        def epoch(self, epoch):
            seen.append(epoch)

    result = train.train(train.Settings(lr=0.1, batch_size=80), digits, Callback())
    steps = [(80, ()), (160, ()), (240, ())]
    assert seen == [*steps, result.history[0], *steps, result.history[1]]


def test_the_loss_of_every_step_is_noted(digits):
    seen = []

    class Callback(train.Callback):
        def step(self, rows, loss):
            seen.append(loss.item())

    run = train.Run(train.Settings(lr=0.1, batch_size=80))
    run.train(digits, Callback())
    passed, losses = zip(*run.loss_curve(200), strict=True)
    assert passed == (0.4, 0.8, 1.0, 1.4, 1.8, 2.0)
    assert list(losses) == seen


def test_parameters_are_a_copy_of_the_last_epochs(digits):
    states = []

    class Callback(train.Callback):
        def epoch(self, epoch):
            states.append(epoch)
            if len(states) == 2:
                raise KeyboardInterrupt

    result = train.train(train.Settings(epochs=5, lr=0.1), digits, Callback())
    assert result.interrupted
    assert result.history == states
    whole = train.train(train.Settings(epochs=2, lr=0.1), digits)
    assert not whole.interrupted
    for name, array in whole.parameters.items():
        np.testing.assert_array_equal(result.parameters[name], array)


def test_where_the_digits_are(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "SIZES", (20, 10, 10))
    assert train.load("synthetic").source == "synthetic"
    with pytest.raises(DataError, match="expected auto, mnist, synthetic, an existing folder"):
        train.load(str(tmp_path / "nowhere"))


def test_infinite_losses_are_null_in_json(digits):
    epoch = logistic.Epoch(1, float("inf"), 0.5, float("nan"), 0.25, 0.125)
    text = report.as_json({}, "digits", [epoch])
    (written,) = json.loads(text)["history"]
    assert written == {
        "epoch": 1,
        "train_loss": None,
        "train_accuracy": 0.5,
        "valid_loss": None,
        "valid_accuracy": 0.25,
        "seconds": 0.125,
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
def test_a_picture_of_numbers_that_cannot_be_drawn(value):
    epoch = logistic.Epoch(1, value, 0.5, value, 0.5, 1.0)
    weights = report.images_of({"weights": np.full((784, 10), value, np.float32)})
    losses = [(0.5, 2.0), (1.0, value)]
    assert report.as_picture(weights, losses, [epoch], ".png").startswith(b"\x89PNG")
