"""Parameters start with PyTorch's numbers for the same seed."""

import math

import pytest

from tests.nn.agreement import agree, fails

SHAPES = [(2, 3), (33, 5), (4, 3, 5, 5), (1, 1)]
FILLS = {
    "uniform_": [{}, {"a": -2, "b": 3.5}],
    "normal_": [{}, {"mean": 1.0, "std": 0.1}],
    "trunc_normal_": [{}, {"mean": 0.5, "std": 2.0, "a": 0.0, "b": 2.5}, {"a": 1.5, "b": 2.0}],
    "constant_": [{"val": 0.3}],
    "ones_": [{}],
    "zeros_": [{}],
    "xavier_uniform_": [{}, {"gain": 2.0}],
    "xavier_normal_": [{}, {"gain": 0.5}],
    "kaiming_uniform_": [{}, {"a": math.sqrt(5)}, {"mode": "fan_out", "nonlinearity": "relu"}],
    "kaiming_normal_": [{}, {"mode": "fan_out", "nonlinearity": "tanh"}],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", FILLS)
def test_fill(name, shape, dtype):
    def job(e):
        results = []
        for settings in FILLS[name]:
            tensor = e.empty(shape, dtype=getattr(e, dtype), requires_grad=True)
            filled = getattr(e.nn.init, name)(tensor, **settings)
            results.append((filled is tensor, filled.requires_grad, filled))
        return results, e.rand(1)

    agree(job)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 2, 3)], ids=str)
def test_orthogonal(shape):
    agree(lambda e: (e.nn.init.orthogonal_(e.empty(shape), gain=1.5), e.rand(1)), tolerance=1e-6)


JOBS = {
    "eye_": lambda e: [e.nn.init.eye_(e.empty(3, 5)), e.nn.init.eye_(e.empty(2, 2))],
    "dirac_": lambda e: [
        e.nn.init.dirac_(e.empty(4, 2, 3)),
        e.nn.init.dirac_(e.empty(4, 2, 3, 3), groups=2),
    ],
    "sparse_": lambda e: e.nn.init.sparse_(e.empty(7, 3), sparsity=0.3),
    "generator": lambda e: [
        e.nn.init.normal_(e.empty(20), generator=e.Generator().manual_seed(3)),
        e.nn.init.xavier_uniform_(e.empty(2, 2), generator=e.Generator().manual_seed(3)),
        e.rand(1),
    ],
    "gains": lambda e: [
        e.nn.init.calculate_gain(name)
        for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu")
    ],
    "slope": lambda e: e.nn.init.calculate_gain("leaky_relu", 0.3),
    "empty": lambda e: [
        e.nn.init.kaiming_uniform_(e.empty(0, 3)),
        e.nn.init.kaiming_normal_(e.empty(0, 3)),
        e.nn.init.orthogonal_(e.empty(0, 3)),
    ],
    "far away": lambda e: e.nn.init.trunc_normal_(e.empty(3), mean=4.5),
    "fans": lambda e: e.nn.init._calculate_fan_in_and_fan_out(e.empty(4, 3, 5, 5)),
    "Linear": lambda e: dict(e.nn.Linear(784, 10).state_dict()),
    "Linear of none": lambda e: dict(e.nn.Linear(0, 3).state_dict()),
    "a network": lambda e: dict(
        e.nn.Sequential(
            e.nn.Linear(5, 4), e.nn.PReLU(3), e.nn.Linear(4, 3, dtype=e.float64)
        ).state_dict()
    ),
}


@pytest.mark.parametrize("case", JOBS)
def test_case(case):
    agree(JOBS[case])


ERRORS = {
    "gain": lambda e: e.nn.init.calculate_gain("x"),
    "slope": lambda e: e.nn.init.calculate_gain("leaky_relu", "x"),
    "fan of a vector": lambda e: e.nn.init.xavier_normal_(e.empty(3)),
    "mode": lambda e: e.nn.init.kaiming_normal_(e.empty(3, 3), mode="x"),
    "eye_": lambda e: e.nn.init.eye_(e.empty(3)),
    "dirac_": lambda e: e.nn.init.dirac_(e.empty(3, 3)),
    "groups": lambda e: e.nn.init.dirac_(e.empty(3, 3, 3), groups=2),
    "orthogonal_": lambda e: e.nn.init.orthogonal_(e.empty(3)),
    "sparse_": lambda e: e.nn.init.sparse_(e.empty(3), 0.1),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error(case):
    assert fails(ERRORS[case])
    agree(ERRORS[case])
