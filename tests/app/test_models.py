"""The models by name: PyTorch's code, first weights and results."""

import re
from pathlib import Path

import pytest
import torch

import reference.jobs
import reference.models
import tinygrad_mnist
from tinygrad_mnist.app import models, train
from tinygrad_mnist.app.train import Settings


def test_models_are_the_references_with_their_import_changed():
    def classes(module):
        text = Path(module.__file__).read_text()
        return text[text.index("SIDE = ") :]

    assert classes(models) == classes(reference.models)


def test_usual_learning_rates_are_the_references():
    def function(module):
        text = Path(module.__file__).read_text()
        return re.search(r"^def usual_lr.*?(?=^def)", text, re.MULTILINE | re.DOTALL).group()

    assert function(train) == function(reference.jobs)


@pytest.mark.parametrize("name", models.MODELS)
def test_a_model_begins_and_answers_as_in_pytorch(name):
    engines = ((torch, reference.models), (tinygrad_mnist, models))
    x = torch.rand(3, 784)
    states, outputs = [], []
    for engine, module in engines:
        engine.manual_seed(7)
        model = module.MODELS[name]()
        states.append({key: value.tolist() for key, value in model.state_dict().items()})
        with engine.no_grad():
            outputs.append(model(engine.tensor(x.tolist())).tolist())
    assert states[0].keys() == states[1].keys()
    for key, value in states[0].items():
        torch.testing.assert_close(torch.tensor(states[1][key]), torch.tensor(value))
    torch.testing.assert_close(torch.tensor(outputs[1]), torch.tensor(outputs[0]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "forest"}, "model 'forest': expected one of logistic, mlp, cnn"),
        ({"stage": "cooked"}, "stage 'cooked': expected one of raw, functional, module"),
        ({"optimizer": "lion"}, "optimizer 'lion': expected one of sgd, adam, adamw, rmsprop"),
        ({"epochs": 0}, "epochs 0: expected 1 or more"),
        ({"lr": float("inf")}, "lr inf: expected a finite number from 0 on"),
        ({"model": "mlp"}, "stage 'raw' is of the logistic model alone"),
        ({"optimizer": "adam", "momentum": 0.9}, "momentum is for sgd and rmsprop, not adam"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(ValueError, match=message):
        Settings(**settings)
