"""Models from files, and how good they are."""

import io

import numpy as np
import pytest
import safetensors.torch
import torch as pytorch

import reference.models
import tinygrad_mnist as torch
from tinygrad_mnist.app import checkpoints, drawing, evaluation
from tinygrad_mnist.app.checkpoints import Source
from tinygrad_mnist.app.models import MODELS
from tinygrad_mnist.app.train import Run, Settings
from tinygrad_mnist.serialization import safetensors as ours
from tinygrad_mnist.serialization.files import ReadError


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_weights_that_pytorch_saved(name, named, tmp_path):
    path = tmp_path / "model.safetensors"
    theirs = reference.models.MODELS[name]()
    safetensors.torch.save_file(theirs.state_dict(), path, {"model": name} if named else None)
    state = torch.get_rng_state().tolist()
    found, model = evaluation.load(path)
    assert torch.get_rng_state().tolist() == state
    assert found == name
    x = pytorch.rand(5, 784)
    with pytorch.no_grad():
        expected = theirs(x).softmax(1).numpy()
    np.testing.assert_allclose(
        evaluation.probabilities(model, torch.from_numpy(x.numpy())), expected, atol=1e-6
    )


@pytest.mark.parametrize("name", MODELS)
def test_checkpoints(name, tmp_path):
    path = tmp_path / "run.pt"
    run = Run(Settings(name, "raw" if name == "logistic" else "module"))
    checkpoints.write(path, run, Source("synthetic", 0))
    found, model = evaluation.load(path)
    assert found == name
    for key, value in model.state_dict().items():
        assert value.tolist() == run.job.parameters[key].tolist()


@pytest.mark.parametrize("name", MODELS)
def test_a_state_dict_that_pytorch_saved(name, tmp_path):
    path = tmp_path / "model.pt"
    theirs = reference.models.MODELS[name]()
    pytorch.save(theirs.state_dict(), path)
    found, model = evaluation.load(path)
    assert found == name
    for key, value in theirs.state_dict().items():
        assert model.state_dict()[key].tolist() == value.tolist()


linear, conv = pytorch.nn.Linear, pytorch.nn.Conv2d
STACK = {
    "logistic": lambda: [pytorch.nn.Flatten(), linear(784, 10)],
    "mlp": lambda: [linear(784, 784), pytorch.nn.ReLU(), linear(784, 10), pytorch.nn.ReLU(),
                    linear(10, 10, bias=False)],
    "cnn": lambda: [pytorch.nn.Unflatten(1, (1, 28)), *[
        layer for i, o in ((1, 16), (16, 16), (16, 10))
        for layer in (conv(i, o, 3, stride=2, padding=1), pytorch.nn.ReLU())
    ], pytorch.nn.AvgPool2d(4), pytorch.nn.Flatten()],
}  # fmt: skip
NAMES = {
    "lin.{}": lambda weights: weights,
    "module.model.{}": lambda weights: {"epoch": 3, "model_state_dict": weights, "best": {}},
    "{}": lambda weights: {"state_dict": weights, "optimizer": {"state": {}, "lr": 0.1}},
}


@pytest.mark.parametrize("kind", [*NAMES, "safetensors"])
@pytest.mark.parametrize("name", STACK)
def test_weights_are_known_by_their_shapes_whatever_they_are_called(name, kind, tmp_path):
    theirs, path = pytorch.nn.Sequential(*STACK[name]()), tmp_path / "model.pt"
    weights = {kind.format(key): each for key, each in theirs.state_dict().items()}
    if kind == "safetensors":
        safetensors.torch.save_file(theirs.state_dict(), path)
    else:
        pytorch.save(NAMES[kind](weights), path)
    found, model = evaluation.load(path)
    x = pytorch.rand(5, 784) - 0.5
    given = x.reshape(5, 28, 28) if name == "cnn" else x
    with pytorch.no_grad():
        expected = theirs(given).softmax(1).numpy()
    sure = evaluation.probabilities(model, torch.from_numpy(x.numpy()))
    assert found == name
    np.testing.assert_allclose(sure, expected, atol=1e-6)
    arrays = {key: each.numpy() for key, each in model.state_dict().items()}
    drawn = [layer["kind"] for layer in drawing.model_data(name, arrays)["layers"]]
    kinds = {"Linear": "linear", "ReLU": "relu", "Conv2d": "conv2d", "AvgPool2d": "mean"}
    known = [type(layer).__name__ for layer in theirs]
    assert drawn == [kinds[layer] for layer in known if layer in kinds]


def test_weights_of_products_written_out(tmp_path):
    path, (w1, b1, w2, b2) = tmp_path / "model.pt", map(pytorch.rand, [(784, 9), 9, (9, 10), 10])
    pytorch.save({"w1": w1 - 0.5, "b1": b1, "w2": w2 - 0.5, "b2": b2}, path)
    name, model = evaluation.load(path)
    x = pytorch.rand(5, 784)
    expected = ((x @ (w1 - 0.5) + b1).relu() @ (w2 - 0.5) + b2).softmax(1).numpy()
    sure = evaluation.probabilities(model, torch.from_numpy(x.numpy()))
    assert name == "mlp"
    np.testing.assert_allclose(sure, expected, atol=1e-5)


def test_a_pickled_layer_is_refused_with_what_to_save_instead(tmp_path):
    pytorch.save(linear(784, 10), tmp_path / "whole.pt")
    with pytest.raises(ReadError, match=r"whole object .*torch\.save\(model\.state_dict\(\), path"):
        evaluation.load(tmp_path / "whole.pt")


def archive(value):
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: b"", "is neither weights in safetensors nor a checkpoint"),
        (lambda: b"hello world", "is neither weights in safetensors nor a checkpoint"),
        (lambda: b"PK\x03\x04", "cannot be loaded"),
        (lambda: archive([1]), "is no checkpoint .*, and holds no state_dict; save one"),
        (
            lambda: archive({"a": {"x": torch.ones(1)}, "b": {"x": torch.ones(1)}}),
            "is no checkpoint .*, and holds several state_dicts",
        ),
        (
            lambda: archive({"weight": torch.ones(10, 784), "bias": torch.ones(9)}),
            r"holds .* no model .* It holds weight \[10, 784\], bias \[9\]\.",
        ),
        (
            lambda: archive({"0.weight": torch.ones(0, 784), "1.weight": torch.ones(10, 0)}),
            r"holds .* no model .* It holds 0\.weight \[0, 784\], 1\.weight \[10, 0\]\.",
        ),
        (
            lambda: archive({"weight": torch.ones(10, 784, dtype=torch.int64)}),
            r"holds .* no model .* It holds weight \[10, 784\]\.",
        ),
        (lambda: archive({"x": torch.ones(2)}), r"holds .* no model that there is \(logistic"),
        (lambda: ours.save({"x": torch.ones(2)}), r"holds .* no model that there is \(logistic"),
        (lambda: ours.save({}, {"model": "forest"}), "holds the weights of no model"),
        (lambda: ours.save({}, {"model": "mlp"}), "does not fit the model mlp .*Missing key"),
        (
            lambda: ours.save({"weights": torch.ones(2), "bias": torch.ones(10)},
                              {"model": "logistic"}),
            "does not fit the model logistic .*size mismatch for weights",
        ),
    ],
)  # fmt: skip
def test_other_files(make, message, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(make())
    with pytest.raises(ReadError, match=rf"model\.safetensors: {message}"):
        evaluation.load(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(ReadError, match=r"none: cannot be read \(No such file or directory\)\."):
        evaluation.load(tmp_path / "none")


def test_evaluation_is_pytorchs_over_parts_of_any_size(monkeypatch):
    monkeypatch.setattr(evaluation, "EVALUATED", 30)
    pytorch.manual_seed(1)
    x, y = pytorch.randn(100, 784), pytorch.randint(0, 9, (100,))
    theirs, model = reference.models.MODELS["mlp"](), MODELS["mlp"]()
    model.load_state_dict({k: torch.from_numpy(v.numpy()) for k, v in theirs.state_dict().items()})
    results = evaluation.evaluate(model, torch.from_numpy(x.numpy()), torch.from_numpy(y.numpy()))
    with pytorch.no_grad():
        out = theirs(x)
    taken = out.argmax(1)
    assert results.loss == pytest.approx(pytorch.nn.functional.cross_entropy(out, y).item())
    assert results.accuracy == pytest.approx((taken == y).float().mean().item())
    for row in range(10):
        for column in range(10):
            count = ((y == row) & (taken == column)).sum().item()
            assert results.confusion[row, column] == count
    assert np.isnan(results.recall[9])
    for suffix, signature in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")):
        assert evaluation.as_picture(results, suffix).startswith(signature)
