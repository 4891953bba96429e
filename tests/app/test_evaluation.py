"""Models from files, and how good they are."""

import io

import numpy as np
import pytest
import safetensors.torch
import torch as pytorch

import reference.models
import tinygrad_mnist as torch
from tinygrad_mnist.app import checkpoints, evaluation
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
        (lambda: archive([1]), "is no checkpoint"),
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
