"""Jacobians, Hessians and their products equal PyTorch's."""

import pytest
import torch

import tinygrad_mnist

NUMBERS = [0.5, -1.5, 2.0]


def outcome(program, engine):
    """What `program` returns on an engine, or the class of its error."""
    try:
        return repr(program(engine, engine.autograd.functional))
    except Exception as error:
        return type(error).__name__


def cubes(x):
    return (x**3).sum()


def mixed(x, y):
    return (x * x * y).sum()


PROGRAMS = {
    "jacobian": lambda T, F, a: F.jacobian(lambda x: x * x.sum(), a),
    "jacobian of a number": lambda T, F, a: F.jacobian(lambda x: x.sum(), a),
    "jacobian of two": lambda T, F, a: F.jacobian(lambda x, y: (x * y, x.sum() * y), (a, a * 2)),
    "jacobian of a matrix": lambda T, F, a: F.jacobian(lambda x: x.exp(), T.stack([a, a])),
    "jacobian of a constant": lambda T, F, a: F.jacobian(lambda x: T.ones(2), a),
    "strict": lambda T, F, a: F.jacobian(lambda x: T.ones(2), a, strict=True),
    "not a tensor": lambda T, F, a: F.jacobian(lambda x: 3, a),
    "hessian": lambda T, F, a: F.hessian(cubes, a),
    "hessian of two": lambda T, F, a: F.hessian(mixed, (a, a * 2)),
    "hessian of many": lambda T, F, a: F.hessian(lambda x: x, a),
    "vjp": lambda T, F, a: F.vjp(lambda x: x**2, a, T.ones(3)),
    "vjp of two": lambda T, F, a: F.vjp(lambda x, y: (x * y, y.exp()), (a, a), (T.ones(3), a)),
    "vjp of a number": lambda T, F, a: F.vjp(cubes, a),
    "vjp without v": lambda T, F, a: F.vjp(lambda x: x**2, a),
    "vjp of wrong size": lambda T, F, a: F.vjp(lambda x: x**2, a, T.ones(2)),
    "jvp": lambda T, F, a: F.jvp(lambda x: x**2, a, a),
    "jvp of two": lambda T, F, a: F.jvp(lambda x: (x.sum(), x * 2), a, a),
    "jvp without v": lambda T, F, a: F.jvp(lambda x: x**2, a),
    "hvp": lambda T, F, a: F.hvp(cubes, a, a),
    "hvp of one number in a vector": lambda T, F, a: F.hvp(lambda x: cubes(x).reshape(1), a, a),
    "hvp of two": lambda T, F, a: F.hvp(mixed, (a, a * 2), (a, a)),
    "vhp": lambda T, F, a: F.vhp(cubes, a, a),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_both_engines_agree(name):
    def program(T, F):
        return PROGRAMS[name](T, F, T.tensor(NUMBERS))

    assert outcome(program, tinygrad_mnist) == outcome(program, torch)


def test_a_jacobian_can_be_differentiated():
    def slope(T):
        x = T.tensor(NUMBERS, requires_grad=True)
        jacobian = T.autograd.functional.jacobian(lambda v: v**3, x, create_graph=True)
        return repr(T.autograd.grad(jacobian.sum(), x))

    assert slope(tinygrad_mnist) == slope(torch)


STRICT_FUNCTIONS = {
    "a constant": lambda T: lambda x: T.ones(3),
    "of something else": lambda T: lambda x: T.ones(3, requires_grad=True) * 2,
    "linear": lambda T: lambda x: x * 2,
    "curved": lambda T: lambda x: x**3,
}
"""Functions that do and do not depend on their input, of which strict mode makes errors."""


def message(call):
    """What a call returns, without names of records, or the class and words of its error."""
    try:
        return repr(call()).partition(", grad_fn")[0]
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("what", STRICT_FUNCTIONS)
@pytest.mark.parametrize("name", ["jacobian", "vjp", "jvp", "hessian", "hvp", "vhp"])
def test_strict_mode_refuses_as_pytorch_does(name, what, create_graph):
    def run(T):
        function, vector = STRICT_FUNCTIONS[what](T), T.tensor(NUMBERS)
        curving = name in ("hessian", "hvp", "vhp")
        called = (lambda x: function(x).sum()) if curving else function
        vectors = () if name in ("jacobian", "hessian") else (vector,)
        derivative = getattr(T.autograd.functional, name)
        return message(
            lambda: derivative(called, vector, *vectors, create_graph=create_graph, strict=True)
        )

    assert run(tinygrad_mnist) == run(torch)


def test_strict_mode_asks_of_all_outputs_together():
    def run(T):
        a = T.tensor(NUMBERS)
        return message(
            lambda: T.autograd.functional.vjp(
                lambda x, y: (x * 2, y * 3), (a, a), (a, a), strict=True
            )
        )

    assert run(tinygrad_mnist) == run(torch)


WAYS = [
    {"vectorize": True},
    {"vectorize": True, "strict": True},
    {"vectorize": True, "create_graph": True},
    {"strategy": "forward-mode", "vectorize": True},
    {"strategy": "forward-mode", "vectorize": True, "strict": True},
    {"strategy": "forward-mode", "vectorize": True, "create_graph": True},
    {"strategy": "sideways"},
]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")  # of PyTorch's own
@pytest.mark.parametrize("way", WAYS, ids=repr)
def test_other_ways_to_the_jacobian_give_the_same(way):
    def run(T):
        a = T.tensor(NUMBERS)
        return message(lambda: T.autograd.functional.jacobian(lambda x: x * x.sum(), a, **way))

    assert run(tinygrad_mnist) == run(torch)
