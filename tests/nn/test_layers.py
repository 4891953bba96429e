"""Layers: their text, what they compute, and the containers; as PyTorch has them."""

from collections import OrderedDict

import numpy as np
import pytest

from tests.nn.agreement import agree, fails


def numbers(e, *shape):
    array = np.cos(np.arange(1, 1 + int(np.prod(shape)))).reshape(shape)
    return e.tensor(array, dtype=e.float32)


LAYERS = {
    "Linear": lambda nn: nn.Linear(4, 2),
    "Linear without bias": lambda nn: nn.Linear(4, 2, bias=False),
    "Identity": lambda nn: nn.Identity(54, unused=True),
    "Flatten": lambda nn: nn.Flatten(),
    "Flatten all": lambda nn: nn.Flatten(0, 1),
    "Unflatten": lambda nn: nn.Unflatten(1, (2, 2)),
    "ReLU": lambda nn: nn.ReLU(),
    "ReLU in place": lambda nn: nn.ReLU(inplace=True),
    "ReLU6": lambda nn: nn.ReLU6(),
    "ReLU6 in place": lambda nn: nn.ReLU6(True),
    "Sigmoid": lambda nn: nn.Sigmoid(),
    "Tanh": lambda nn: nn.Tanh(),
    "SiLU": lambda nn: nn.SiLU(),
    "Mish": lambda nn: nn.Mish(),
    "SELU": lambda nn: nn.SELU(),
    "ELU": lambda nn: nn.ELU(0.7),
    "ELU in place": lambda nn: nn.ELU(inplace=True),
    "CELU": lambda nn: nn.CELU(2.0),
    "LeakyReLU": lambda nn: nn.LeakyReLU(),
    "LeakyReLU in place": lambda nn: nn.LeakyReLU(0.2, True),
    "PReLU": lambda nn: nn.PReLU(),
    "PReLU of channels": lambda nn: nn.PReLU(4, init=0.1),
    "Threshold": lambda nn: nn.Threshold(0.1, 20, inplace=True),
    "Hardtanh": lambda nn: nn.Hardtanh(-0.5, 0.5),
    "Hardswish": lambda nn: nn.Hardswish(inplace=True),
    "Hardsigmoid": lambda nn: nn.Hardsigmoid(),
    "LogSigmoid": lambda nn: nn.LogSigmoid(),
    "Softplus": lambda nn: nn.Softplus(2, 3),
    "Softsign": lambda nn: nn.Softsign(),
    "Tanhshrink": lambda nn: nn.Tanhshrink(),
    "GLU": lambda nn: nn.GLU(),
    "Softmax": lambda nn: nn.Softmax(dim=1),
    "Softmax without dim": lambda nn: nn.Softmax(),
    "Softmin": lambda nn: nn.Softmin(0),
    "LogSoftmax": lambda nn: nn.LogSoftmax(-1),
    "Dropout in evaluation": lambda nn: nn.Dropout(0.3).eval(),
    "Dropout of none": lambda nn: nn.Dropout(0.0, inplace=True),
    "Dropout1d": lambda nn: nn.Dropout1d(0.0),
    "Dropout2d in evaluation": lambda nn: nn.Dropout2d(0.3).eval(),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    def job(e):
        layer = LAYERS[name](e.nn)
        return repr(layer), dict(layer.state_dict()), layer(numbers(e, 3, 4))

    agree(job, tolerance=1e-6)


LOSSES = {
    "L1Loss": ({}, "numbers"),
    "MSELoss": ({"reduction": "sum"}, "numbers"),
    "SmoothL1Loss": ({"beta": 0.3}, "numbers"),
    "HuberLoss": ({"delta": 0.3, "reduction": "none"}, "numbers"),
    "KLDivLoss": ({"reduction": "batchmean"}, "shares"),
    "BCELoss": ({}, "shares"),
    "BCEWithLogitsLoss": ({}, "shares"),
    "NLLLoss": ({"ignore_index": 1}, "classes"),
    "CrossEntropyLoss": ({"reduction": "sum"}, "classes"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_loss(name):
    settings, kind = LOSSES[name]

    def job(e):
        x = numbers(e, 3, 4)
        if kind == "classes":
            target = e.tensor([0, 1, 3])
        else:
            target = numbers(e, 4, 3).reshape(3, 4)
        if kind == "shares":
            x, target = x.abs(), target.abs()
        loss = getattr(e.nn, name)(**settings)
        return repr(loss), loss(x, target), list(loss.state_dict())

    agree(job, tolerance=1e-6)


def test_weights_of_losses_are_buffers():
    def job(e):
        nn, x = e.nn, numbers(e, 3, 4)
        weight = e.tensor([1.0, 2.0, 0.5, 3.0])
        classes = e.tensor([0, 1, 3])
        losses = [
            nn.CrossEntropyLoss(weight)(x, classes),
            nn.NLLLoss(weight)(x, classes),
            nn.BCELoss(weight)(x.abs(), x.abs()),
            nn.BCEWithLogitsLoss(weight, pos_weight=weight)(x, x.abs()),
        ]
        return losses, list(nn.CrossEntropyLoss(weight).double().state_dict().values())

    agree(job, tolerance=1e-6)


def test_legacy_arguments_of_losses():
    agree(
        lambda e: [e.nn.MSELoss(size_average=False).reduction, e.nn.L1Loss(reduce=False).reduction]
    )


ERRORS = {
    "Linear sizes": lambda e: e.nn.Linear(3, 2)(e.ones(2, 4)),
    "Linear types": lambda e: e.nn.Linear(3, 2)(e.ones(2, 3, dtype=e.float64)),
    "Dropout": lambda e: e.nn.Dropout(1.5),
    "Hardtanh": lambda e: e.nn.Hardtanh(1, 0),
    "HuberLoss": lambda e: e.nn.HuberLoss(delta="x"),
    "reduction": lambda e: e.nn.MSELoss(reduction="x")(e.ones(1), e.ones(1)),
    "Unflatten size": lambda e: e.nn.Unflatten(1, 3),
    "Unflatten sizes": lambda e: e.nn.Unflatten(1, (1, "x")),
    "Sequential number": lambda e: e.nn.Sequential(3),
    "Sequential index": lambda e: e.nn.Sequential(e.nn.ReLU())[1],
    "Sequential + list": lambda e: e.nn.Sequential() + [],  # noqa: RUF005
    "Sequential * 0": lambda e: e.nn.Sequential() * 0,
    "Sequential * text": lambda e: e.nn.Sequential() * "a",
    "insert": lambda e: e.nn.Sequential().insert(2, e.nn.ReLU()),
    "ModuleList index": lambda e: e.nn.ModuleList()[0],
    "ModuleList of one": lambda e: e.nn.ModuleList().extend(3),
    "ModuleDict of one": lambda e: e.nn.ModuleDict(3),
    "ModuleDict of numbers": lambda e: e.nn.ModuleDict([3]),
    "ModuleDict of triples": lambda e: e.nn.ModuleDict([("a", 1, 2)]),
    "ModuleDict key": lambda e: e.nn.ModuleDict()["a"],
    "ModuleDict dotted": lambda e: e.nn.ModuleDict({"a.b": e.nn.ReLU()}),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error(case):
    assert fails(ERRORS[case])
    agree(ERRORS[case])


def three(e):
    return e.nn.Sequential(e.nn.Linear(2, 2), e.nn.ReLU(), e.nn.Linear(2, 2))


def changed(change):
    def job(e):
        module = three(e)
        result = change(e, module)
        return repr(module), repr(result), list(module.state_dict()), len(module)

    return job


CONTAINERS = {
    "index": changed(lambda e, m: [m[0], m[-1]]),
    "slice": changed(lambda e, m: m[1:]),
    "negative slice": changed(lambda e, m: m[:-1]),
    "iterate": changed(lambda e, m: list(m)),
    "append": changed(lambda e, m: m.append(e.nn.Tanh())),
    "extend": changed(lambda e, m: m.extend([e.nn.Tanh(), e.nn.ReLU()])),
    "insert": changed(lambda e, m: m.insert(1, e.nn.Tanh())),
    "insert from the end": changed(lambda e, m: m.insert(-1, e.nn.Tanh())),
    "pop": changed(lambda e, m: m.pop(1)),
    "delete": changed(lambda e, m: m.__delitem__(0)),
    "delete a slice": changed(lambda e, m: m.__delitem__(slice(0, 2))),
    "set": changed(lambda e, m: m.__setitem__(-2, e.nn.Tanh())),
    "add": changed(lambda e, m: m + e.nn.Sequential(e.nn.Tanh())),
    "add in place": changed(lambda e, m: m.__iadd__(e.nn.Sequential(e.nn.Tanh()))),
    "times": changed(lambda e, m: m * 2),
    "times from the left": changed(lambda e, m: 2 * m),
    "times in place": changed(lambda e, m: m.__imul__(2)),
    "names": lambda e: repr(
        e.nn.Sequential(OrderedDict([("first", e.nn.Linear(1, 2)), ("act", e.nn.ReLU())]))
    ),
    "nested": lambda e: repr(e.nn.Sequential(three(e), e.nn.Flatten())),
    "list": lambda e: repr(e.nn.ModuleList([e.nn.Linear(1, 1)] * 2 + [e.nn.ReLU(), three(e)])),
    "empty list": lambda e: repr(e.nn.ModuleList()),
    "list changed": lambda e: repr(
        e.nn.ModuleList([e.nn.ReLU()]).append(e.nn.Tanh()) + e.nn.ModuleList([e.nn.Sigmoid()])
    ),
    "list sliced": lambda e: repr(e.nn.ModuleList(three(e))[::2]),
    "list lengthened": lambda e: repr(e.nn.ModuleList(three(e)).__iadd__([e.nn.Tanh()])),
    "dict": lambda e: repr(e.nn.ModuleDict({"a": e.nn.ReLU(), "b": three(e)})),
    "dict of pairs": lambda e: repr(e.nn.ModuleDict([("a", e.nn.ReLU()), ["b", e.nn.Tanh()]])),
    "dict of a dict": lambda e: repr(e.nn.ModuleDict(e.nn.ModuleDict({"a": e.nn.ReLU()}))),
}


@pytest.mark.parametrize("case", CONTAINERS)
def test_container(case):
    agree(CONTAINERS[case])


def test_dict_like_a_dict():
    def job(e):
        module = e.nn.ModuleDict({"a": e.nn.ReLU()})
        module["b"] = e.nn.Tanh()
        seen = [list(module), list(module.keys()), [str(v) for v in module.values()]]
        seen.append([(k, str(v)) for k, v in module.items()])
        popped = str(module.pop("a"))
        held = "a" in module, "b" in module
        del module["b"]
        module.update({"c": e.nn.ReLU()})
        module.clear()
        return seen, popped, held, len(module)

    agree(job)


def test_list_insert():
    def job(e):
        module = e.nn.ModuleList(three(e))
        module.insert(1, e.nn.Tanh())
        module[0] = e.nn.Sigmoid()
        del module[2:]
        return repr(module), [str(each) for each in module], len(module)

    agree(job)
