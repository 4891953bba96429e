"""Functions of functions give PyTorch's numbers, shapes and errors, nested in any way."""

import functools

import numpy as np
import pytest
import torch
import torch.autograd.forward_ad
import torch.func

import tinygrad_mnist
from tests.parts import in_parts


def flat(value):
    """What a program returned, with tensors as what is in them."""
    if isinstance(value, dict):
        return {key: flat(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(map(flat, value)) if type(value) in (tuple, list) else flat([*value])
    if hasattr(value, "detach"):
        numbers = np.round(value.detach().numpy().astype(np.float64), 4) + 0.0
        return str(value.dtype).rpartition(".")[2], numbers.tolist(), value.requires_grad
    return value


def outcome(program, T):
    """What a program returns on an engine, or its error."""
    try:
        return flat(program(T, T.func))
    except Exception as error:
        return type(error).__name__


def numbers(T, *shape, start=-1.0):
    size = int(np.prod(shape))
    return T.linspace(start, 1.5, size, dtype=T.float64).reshape(shape)


def network(T):
    """A small network, its parameters by name, a batch and its targets."""
    T.manual_seed(0)
    model = T.nn.Sequential(T.nn.Linear(3, 4), T.nn.Tanh(), T.nn.Linear(4, 2))
    x, y = T.linspace(-1, 1, 15).reshape(5, 3), T.tensor([0, 1, 1, 0, 1])

    def loss(parameters, sample, target):
        output = T.func.functional_call(model, parameters, (sample.unsqueeze(0),))
        return T.nn.functional.cross_entropy(output, target.unsqueeze(0))

    return dict(model.named_parameters()), loss, x, y


def per_sample(T, F):
    parameters, loss, x, y = network(T)
    alone = {name: each.detach() for name, each in parameters.items()}
    return F.vmap(F.grad(loss), in_dims=(None, 0, 0))(alone, x, y)


def ensemble(T, F):
    T.manual_seed(1)
    models = [T.nn.Linear(3, 2) for _ in range(3)]
    parameters, buffers = F.stack_module_state(models)

    def call(parameters, buffers, x):
        return F.functional_call(models[0], (parameters, buffers), (x,))

    return F.vmap(call, in_dims=(0, 0, None))(parameters, buffers, T.ones(4, 3))


def outer_backward(T, F, recorded=True):
    x = numbers(T, 3).requires_grad_()
    w = T.ones((), dtype=T.float64, requires_grad=True)
    with T.set_grad_enabled(recorded):
        y = F.grad(lambda z: (z.sin() * z * w).sum())(x)
    if recorded:
        y.sum().backward()
    return y, x.grad, w.grad


def with_a_function(T, F):
    class Cube(T.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return x**3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(inputs[0])
            ctx.save_for_forward(inputs[0])

        @staticmethod
        def backward(ctx, g):
            return g * 3 * ctx.saved_tensors[0] ** 2

        @staticmethod
        def jvp(ctx, t):
            return t * 3 * ctx.saved_tensors[0] ** 2

    class OfABatch(Cube):
        generate_vmap_rule = False

        @staticmethod
        def vmap(info, in_dims, x):
            return Cube.apply(x.movedim(in_dims[0], 0)) * 2, 0

    x = numbers(T, 3)
    batched = F.vmap(OfABatch.apply)(x), F.vmap(F.vmap(OfABatch.apply), 1)(numbers(T, 3, 2))
    forward = batched, F.jvp(Cube.apply, (x,), (x,)), F.jacfwd(Cube.apply)(x)
    return F.grad(lambda x: Cube.apply(x).sum())(x), F.jacrev(Cube.apply)(x), forward


def drawn(T, F, way, draw):
    T.manual_seed(3)
    return F.vmap(lambda x: draw(T, x), randomness=way)(T.ones(4, 5)), T.rand(2)


def f(x):
    return (x.sin() * x).sum()


def g(x, y):
    return {"a": x * y, "b": (y.exp().sum(), x[0])}


PROGRAMS = {
    "grad": lambda T, F: F.grad(f)(numbers(T, 3)),
    "grad of grad": lambda T, F: F.grad(F.grad(lambda x: x.sin() * x**2))(numbers(T)),
    "grad, argnums": lambda T, F: F.grad(lambda x, y: (x * y).sum(), (1, 0))(
        numbers(T, 2), numbers(T, 2, start=3)
    ),
    "grad of a nest": lambda T, F: F.grad(lambda p: (p["a"] * p["b"][0]).sum())(
        {"a": numbers(T, 2), "b": [numbers(T, 2)]}
    ),
    "grad, aux": lambda T, F: F.grad(lambda x: (f(x), x * 2), has_aux=True)(numbers(T, 3)),
    "grad, aux that is none": lambda T, F: F.grad(lambda x: f(x), has_aux=True)(numbers(T, 3)),
    "grad of many": lambda T, F: F.grad(lambda x: x)(numbers(T, 3)),
    "grad of no tensor": lambda T, F: F.grad(lambda x: 3.0)(numbers(T, 3)),
    "grad of a constant": lambda T, F: F.grad(lambda x: T.ones(()))(numbers(T, 3)),
    "grad of no argument": lambda T, F: F.grad(f, 1)(numbers(T, 3)),
    "grad, negative argnum": lambda T, F: F.grad(lambda x, y: (x * y).sum(), -1)(
        numbers(T, 2), numbers(T, 2)
    ),
    "grad, argnums twice": lambda T, F: F.grad(f, (0, 0))(numbers(T, 3)),
    "grad and value": lambda T, F: F.grad_and_value(lambda x: (f(x), x), has_aux=True)(
        numbers(T, 3)
    ),
    "grad inside backward": outer_backward,
    "grad under no_grad": functools.partial(outer_backward, recorded=False),
    "no_grad inside": lambda T, F: F.grad(lambda x: _with_no_grad(T, x))(numbers(T, 3)),
    "vjp": lambda T, F: _pulled(T, F, lambda x: x.exp()),
    "vjp of a nest": lambda T, F: F.vjp(g, numbers(T, 2), numbers(T, 2))[1](
        {"a": numbers(T, 2), "b": (numbers(T), numbers(T))}
    ),
    "vjp by another nest": lambda T, F: F.vjp(g, numbers(T, 2), numbers(T, 2))[1](numbers(T)),
    "jvp": lambda T, F: F.jvp(lambda x: x.exp() * x, (numbers(T, 3),), (numbers(T, 3),)),
    "jvp of a nest": lambda T, F: F.jvp(g, (numbers(T, 2),) * 2, (numbers(T, 2),) * 2),
    "jvp, aux": lambda T, F: F.jvp(
        lambda x: (x * x, x), (numbers(T, 2),), (numbers(T, 2),), has_aux=True
    ),
    "jvp of no tuple": lambda T, F: F.jvp(f, numbers(T, 2), numbers(T, 2)),
    "jvp by another nest": lambda T, F: F.jvp(f, (numbers(T, 2),), (numbers(T, 2),) * 2),
    "jvp of a constant": lambda T, F: F.jvp(
        lambda x: T.ones(2), (numbers(T, 2),), (numbers(T, 2),)
    ),
    "jvp, strict": lambda T, F: F.jvp(
        lambda x: T.ones(2), (numbers(T, 2),), (numbers(T, 2),), strict=True
    ),
    "jvp of jvp": lambda T, F: F.jvp(
        lambda x: F.jvp(lambda y: (y * x).sin(), (x,), (x * x,))[1],
        (numbers(T, 2),),
        (numbers(T, 2),),
    ),
    "jvp of grad": lambda T, F: F.jvp(F.grad(f), (numbers(T, 3),), (numbers(T, 3),)),
    "grad of jvp": lambda T, F: F.grad(
        lambda x: F.jvp(lambda y: y.sin() * x, (x,), (x.exp(),))[1].sum()
    )(numbers(T, 3)),
    "jvp of grad of jvp": lambda T, F: F.jvp(
        F.grad(lambda x: F.jvp(f, (x,), (x,))[1]), (numbers(T, 2),), (numbers(T, 2),)
    ),
    "jvp in place": lambda T, F: F.jvp(
        lambda x: x.clone().mul_(x).add_(x[0]), (numbers(T, 3),), (numbers(T, 3),)
    ),
    "jvp of mixed types": lambda T, F: F.jvp(
        F.grad(lambda x: (x.float() * x).sum()), (numbers(T, 2),), (numbers(T, 2),)
    ),
    "linearize": lambda T, F: F.linearize(lambda x: x.sin(), numbers(T, 2))[1](numbers(T, 2)),
    "jacrev": lambda T, F: F.jacrev(lambda x: T.outer(x, x))(numbers(T, 3)),
    "jacrev of nests": lambda T, F: F.jacrev(g, (0, 1))(numbers(T, 2), numbers(T, 2)),
    "jacrev, aux": lambda T, F: F.jacrev(lambda x: (x * x, x), has_aux=True)(numbers(T, 2)),
    "jacrev, chunks": lambda T, F: F.jacrev(lambda x: x * x, chunk_size=0),
    "jacfwd": lambda T, F: F.jacfwd(lambda x: T.outer(x, x))(numbers(T, 3)),
    "jacfwd of nests": lambda T, F: F.jacfwd(g, (0, 1))(numbers(T, 2), numbers(T, 2)),
    "jacfwd, aux": lambda T, F: F.jacfwd(lambda x: (x * x, x), has_aux=True)(numbers(T, 2)),
    "hessian": lambda T, F: F.hessian(f)(numbers(T, 3)),
    "hessian of two": lambda T, F: F.hessian(lambda x, y: (x * x * y).sum(), (0, 1))(
        numbers(T, 2), numbers(T, 2)
    ),
    "reverse over forward": lambda T, F: F.jacrev(F.jacfwd(f))(numbers(T, 3)),
    "forward over forward": lambda T, F: F.jacfwd(F.jacfwd(f))(numbers(T, 3)),
    "reverse over reverse": lambda T, F: F.jacrev(F.jacrev(f))(numbers(T, 3)),
    "third": lambda T, F: F.jacfwd(F.hessian(f))(numbers(T, 2)),
    "vmap": lambda T, F: F.vmap(T.dot)(numbers(T, 3, 2), numbers(T, 3, 2)),
    "vmap, dims": lambda T, F: F.vmap(T.mv, (None, 1), 1)(numbers(T, 2, 3), numbers(T, 3, 4)),
    "vmap of a nest": lambda T, F: F.vmap(g, ({"a": 0}, None))({"a": numbers(T, 2)}, numbers(T)),
    "vmap of nests": lambda T, F: F.vmap(
        lambda p, q: (p["a"] + q[0], {"b": q[1] * 2}), ({"a": 1}, (0, None)), (1, {"b": 0})
    )({"a": numbers(T, 2, 3)}, (numbers(T, 3, 2), numbers(T, 2))),
    "vmap, no out_dim": lambda T, F: F.vmap(lambda x: (x, T.ones(2)), out_dims=(0, None))(
        numbers(T, 3)
    ),
    "vmap, a batch without out_dim": lambda T, F: F.vmap(lambda x: x, out_dims=None)(numbers(T, 3)),
    "vmap of vmap": lambda T, F: F.vmap(F.vmap(T.add, (0, None)), (None, 0), 1)(
        numbers(T, 3), numbers(T, 2)
    ),
    "vmap of grad": lambda T, F: F.vmap(F.grad(f))(numbers(T, 3, 2)),
    "grad of vmap": lambda T, F: F.grad(lambda x: F.vmap(f)(x).exp().sum())(numbers(T, 3, 2)),
    "vmap of hessian": lambda T, F: F.vmap(F.hessian(f))(numbers(T, 3, 2)),
    "jvp of vmap": lambda T, F: F.jvp(F.vmap(f), (numbers(T, 3, 2),), (numbers(T, 3, 2),)),
    "vmap of jvp": lambda T, F: F.vmap(lambda x, t: F.jvp(T.sin, (x,), (t,)))(
        numbers(T, 3, 2), numbers(T, 3, 2)
    ),
    "vmap of nothing": lambda T, F: F.vmap(f)(),
    "vmap of sizes": lambda T, F: F.vmap(T.add)(numbers(T, 3), numbers(T, 2)),
    "vmap of a number": lambda T, F: F.vmap(T.add)(numbers(T, 3), 2),
    "vmap, a number for all": lambda T, F: F.vmap(T.add, (0, None))(numbers(T, 3), 2),
    "vmap past the dimensions": lambda T, F: F.vmap(f, 1)(numbers(T, 3)),
    "vmap, wrong nest": lambda T, F: F.vmap(f, (0, 0))(numbers(T, 3)),
    "vmap, no int": lambda T, F: F.vmap(f, "0")(numbers(T, 3)),
    "vmap, no tensor out": lambda T, F: F.vmap(lambda x: 2)(numbers(T, 3)),
    "vmap, chunks": lambda T, F: F.vmap(f, chunk_size=2)(numbers(T, 3, 2)),
    "vmap, no chunks": lambda T, F: F.vmap(f, chunk_size=0)(numbers(T, 3, 2)),
    "vmap, randomness": lambda T, F: F.vmap(f, randomness="some")(numbers(T, 3, 2)),
    "vmap in place": lambda T, F: F.vmap(lambda x: x.mul_(2).add_(1))(numbers(T, 3, 2)),
    "per-sample gradients": per_sample,
    "ensemble": ensemble,
    "functional_call, strict": lambda T, F: F.functional_call(
        T.nn.Linear(2, 1), {"weight": T.ones(1, 2)}, T.ones(2), strict=True
    ),
    "functional_call, a wrong name": lambda T, F: F.functional_call(
        T.nn.Linear(2, 1), {"wait": T.ones(1, 2)}, T.ones(2)
    ),
    "functional_call, a name twice": lambda T, F: F.functional_call(
        T.nn.Linear(2, 1), [{"bias": T.ones(1)}, {"bias": T.ones(1)}], T.ones(2)
    ),
    "no models": lambda T, F: F.stack_module_state([]),
    "a Function": with_a_function,
    **{
        f"{way} {name}": functools.partial(drawn, way=way, draw=draw)
        for way in ("same", "different", "error")
        for name, draw in {
            "rand": lambda T, x: x + T.rand(5),
            "two draws": lambda T, x: T.randn(5) + T.rand(5),
            "randn of many": lambda T, x: T.randn(20),
            "randint": lambda T, x: T.randint(9, (3,)),
            "randperm": lambda T, x: T.randperm(4),
            "rand_like": lambda T, x: T.rand_like(x),
        }.items()
    },
}


def _with_no_grad(T, x):
    with T.no_grad():
        shift = x * x
    return (x * x - shift).sum()


def _pulled(T, F, function):
    value, pull = F.vjp(function, numbers(T, 3))
    return value, pull(T.ones(3, dtype=T.float64)), pull(numbers(T, 3))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Attempted to insert")
@in_parts("name", list(PROGRAMS), 20)
def test_both_engines_agree(name):
    assert outcome(PROGRAMS[name], tinygrad_mnist) == outcome(PROGRAMS[name], torch)


FORWARD = {
    "product": lambda T, x: (x.exp().sin() * x).sum(1),
    "matrices": lambda T, x: x @ x.t(),
    "view": lambda T, x: x.view(-1)[2:] * 2,
    "in place": lambda T, x: x.clone().mul_(x).add_(1),
    "normed": lambda T, x: T.nn.functional.layer_norm(x, (3,)),
    "softmax": lambda T, x: T.softmax(x, 1),
    "largest": lambda T, x: x.max(1).values + x.sort(1)[0][:, 0],
    "summed up": lambda T, x: x.cumsum(1) + x.logsumexp(1, keepdim=True),
    "joined": lambda T, x: T.cat([x, T.stack([x[0], x[1].sin()])]),
    "spread": lambda T, x: x.var(0) * x.std() + x.norm(),
    "chosen": lambda T, x: T.where(x > 0, x * x, 3.0) + x.clamp(0, 0.6),
    "indexed": lambda T, x: x[[0, 1], [1, 2]] * x.gather(1, T.tensor([[0], [2]])),
    "convolved": lambda T, x: T.nn.functional.conv1d(x[None], x[None, :, :2]),
    "of two types": lambda T, x: x.float() * x,
    "detached": lambda T, x: x * x.detach(),
    "stepped": lambda T, x: x.floor() + T.poisson(x * 0),
    "classified": lambda T, x: T.nn.functional.cross_entropy(x, T.tensor([0, 1])),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@in_parts("name", list(FORWARD))
def test_tangents_of_operations_agree(name):
    def pushed(T):
        forward = T.autograd.forward_ad
        with forward.dual_level():
            dual = forward.make_dual(numbers(T, 2, 3), numbers(T, 2, 3, start=0.5))
            return flat(forward.unpack_dual(FORWARD[name](T, dual)))

    assert pushed(tinygrad_mnist) == pushed(torch)


LAYOUTS = ("x", "x.t().contiguous().t()", "x[:, :2]", "x[:, 1:]", "x.clone()[:, :2]", "x[:0]")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@in_parts("layout", LAYOUTS)
def test_a_tangent_lies_in_memory_as_its_tensor_does(layout):
    def laid_out(T, way):
        primal, tangent = (eval(each, {"x": numbers(T, 2, 3)}) for each in (layout, way))
        if primal.shape != tangent.shape:
            return None
        with T.autograd.forward_ad.dual_level():
            dual = T.autograd.forward_ad.make_dual(primal, tangent)
            found = T.autograd.forward_ad.unpack_dual(dual).tangent.mul_(2)
        return [(each.tolist(), each.stride(), each.storage_offset()) for each in (found, tangent)]

    for way in LAYOUTS:
        assert laid_out(tinygrad_mnist, way) == laid_out(torch, way)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_dual_tensor_is_written_into_no_other():
    for T in (tinygrad_mnist, torch):
        x, y = T.ones(2), T.ones(2)
        with T.autograd.forward_ad.dual_level():
            dual = T.autograd.forward_ad.make_dual(x, y)
            for inputs, out in ((dual, y), y), ((x, y), dual):
                with pytest.raises(NotImplementedError, match="out= function"):
                    T.add(*inputs, out=out)
            assert T.add(T.ones(2), T.ones(2), out=T.empty(2)).tolist() == [2, 2]


def test_writing_into_what_all_samples_share_is_refused():
    total = tinygrad_mnist.zeros(2)
    with pytest.raises(RuntimeError, match="tensor that all samples share"):
        tinygrad_mnist.vmap(total.add_)(tinygrad_mnist.ones(3, 2))


def test_no_level_is_open_after_an_error():
    def fails(x):
        raise KeyError(x)

    x = tinygrad_mnist.ones(2)
    for transform in (tinygrad_mnist.func.jacfwd, tinygrad_mnist.vmap, tinygrad_mnist.func.grad):
        with pytest.raises(KeyError):
            transform(fails)(x)
    assert tinygrad_mnist.engine.modes.backward_mode.levels == []
    assert not tinygrad_mnist.engine.observer.OBSERVERS
    assert tinygrad_mnist.rand(2).shape == (2,)
