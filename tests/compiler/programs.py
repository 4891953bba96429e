"""Random steps of training whose batch may have any size, and what they did, to be compared."""

import warnings
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

import tinygrad_mnist as torch
from tinygrad_mnist.nn import functional as F


def put(x, key, value):
    """A copy of a tensor with something written into a part."""
    x = x.clone()
    x[key] = value
    return x


def changed(view, change):
    """A copy of a tensor, a view of which was changed in place."""

    def function(x, *others):
        x = x.clone()
        change(view(x), *others)
        return x

    return function


UNARY = {
    "tanh": torch.tanh, "sigmoid": torch.sigmoid, "relu": torch.relu, "neg": torch.neg,
    "abs": torch.abs, "exp": lambda x: x.exp().clamp(max=3), "halved": lambda x: x * 0.5,
    "from one": lambda x: 1 - x, "third": lambda x: x / 3, "square": lambda x: x**2,
    "root": lambda x: (x * x + 1).sqrt(), "log": lambda x: (x * x + 1).log(), "sum": torch.sum,
    "mean": torch.mean, "sum -1": lambda x: x.sum(-1), "sum 0": lambda x: x.sum(0),
    "sum kept": lambda x: x.sum(-1, keepdim=True), "mean 0": lambda x: x.mean(0, keepdim=True),
    "detach": lambda x: x.detach(), "clone add": lambda x: x.clone().add_(1), "flat": torch.ravel,
    "clone mul": lambda x: x.clone().mul_(x), "transpose": lambda x: x.transpose(0, -1),
    "head": lambda x: x[:1], "last column": lambda x: x[..., -1], "row": lambda x: x.unsqueeze(0),
    "softmax": lambda x: torch.softmax(x, -1), "log_softmax": lambda x: F.log_softmax(x, -1),
    "amax -1": lambda x: x.amax(-1), "zeros add": lambda x: torch.zeros_like(x).add_(x),
    "where": lambda x: torch.where(x > 0, x, 0.1 * x), "cumsum": lambda x: x.cumsum(0),
    "expand": lambda x: x.expand(2, *x.shape).sum(0), "cumsum -1": lambda x: x.cumsum(-1),
    "softmax 0": lambda x: torch.softmax(x, 0), "amax": lambda x: x.amax(0), "max": torch.max,
    "max -1": lambda x: x.max(-1).values, "min 0": lambda x: x.min(0)[0],
    "prod": lambda x: x.tanh().prod(-1), "var": lambda x: x.var(0, correction=0),
    "var 1": lambda x: x.var(0), "std": lambda x: x.std(-1), "logsumexp": lambda x: x.logsumexp(-1),
    "clamp": lambda x: x.clamp(-1, 0.5), "new axis": lambda x: x[:, None], "tail": lambda x: x[1:],
    "flip": lambda x: x.flip(0), "roll": lambda x: torch.roll(x, 1, -1), "tril": torch.tril,
    "ends": lambda x: x[[0, -1]], "argsorted": lambda x: x.gather(-1, x.argsort(-1)[..., :2]),
    "stacked": lambda x: torch.stack([x, -x], -1), "positive": lambda x: x * (x > 0),
    "norm": lambda x: x.norm(dim=-1, keepdim=True), "column": lambda x: x.unsqueeze(-1),
    "put row": lambda x: put(x, 0, 0.5), "put positive": lambda x: put(x, x > 0, 0.5),
    "put column": lambda x: put(x, (Ellipsis, 0), x[..., -1]),
    "put tail": lambda x: put(x, slice(1, None), 2),
    "taken": lambda x: x[:, x.argmax(-1).abs() % 2],
    "layer_norm": lambda x: F.layer_norm(x, x.shape[-1:]), "leaky": F.leaky_relu,
    "softplus": F.softplus, "gelu": F.gelu, "silu": F.silu,
    "max_pool": lambda x: F.max_pool2d(x[None], 2),
    "avg_pool": lambda x: F.avg_pool2d(x[None], 2, 1), "pad": lambda x: F.pad(x, (1, 1)),
    "diagonal": torch.diagonal, "sum both": lambda x: x.sum((0, -1)),
    "by rows": lambda x: x / len(x), "by count": lambda x: x * x.numel(),
    "every other": lambda x: x[::2], "half": lambda x: x[: len(x) // 2],
    "chunk": lambda x: x.chunk(2)[0], "split": lambda x: x.split(2)[-1], "back": lambda x: x[-1],
    "viewed": lambda x: x.view(-1, x.shape[-1]), "unfolded": lambda x: x.T.reshape(-1, len(x)),
    "repeat": lambda x: x.repeat(2, 1), "triu": lambda x: x.triu(1),
    "sorted": lambda x: x.sort(0).values, "top": lambda x: x.topk(2, -1).values,
    "add view": changed(lambda x: x[1:], lambda x: x.add_(1)),
    "scaled column": changed(lambda x: x[..., 0], lambda x: x.mul_(0.5)),
    "filled transpose": changed(lambda x: x.transpose(0, -1)[:1], lambda x: x.fill_(0.25)),
    "viewed in place": changed(lambda x: x.view(-1)[1:], lambda x: x.neg_()),
    "long": lambda x: x.clamp(-9, 9).nan_to_num(0).long(), "bool": lambda x: x > 0.1,
    "nan": torch.isnan, "argmax": lambda x: x.argmax(-1), "argmin 0": lambda x: x.argmin(0),
    "any": lambda x: (x > 0).any(0), "all": lambda x: (x < 1).all(-1),
    "count": lambda x: (x > 0).sum(0), "float": lambda x: x.double(), "remainder": lambda x: x % 3,
    "quotient": lambda x: x.detach() // 2, "sign": torch.sign, "not": torch.logical_not,
    "round": torch.round, "reciprocal": lambda x: 1 / x, "root of": torch.sqrt, "log of": torch.log,
    "counted": lambda x: x + torch.arange(len(x), dtype=x.dtype)[:, None],
    "ones": lambda x: x.new_ones(len(x), 2), "hot": lambda x: F.one_hot(x.abs() % 3, 3),
    "whole": lambda x: x.sum() + len(x), "mean -1": lambda x: x.mean(-1),
    "median": lambda x: x.median(-1).values, "dropout": lambda x: F.dropout(x, 0.3),
    "noise": torch.rand_like, "normal": lambda x: x + torch.randn(len(x), 1, dtype=x.dtype),
    "cube": lambda x: x**3, "minus": lambda x: x - x, "signed zero": lambda x: x * -0.0,
    "batch_norm": lambda x: F.batch_norm(x, None, None, training=True), "blown": lambda x: x / 0,
    "unbound": lambda x: sum(x.unbind(0)), "narrow": lambda x: x.narrow(0, 1, len(x) - 1),
}  # fmt: skip
BINARY = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": lambda x, y: x / (1 + y.abs()),
    "maximum": torch.maximum, "where": lambda x, y: torch.where(x > y, x, y),
    "matmul": torch.matmul, "add half": lambda x, y: torch.add(x, y, alpha=0.5),
    "copy": lambda x, y: x.clone().copy_(y), "cat": lambda x, y: torch.cat([x, y]),
    "cat -1": lambda x, y: torch.cat([x, y], -1), "mT": lambda x, y: x @ y.mT,
    "tm": lambda x, y: x.mT @ y, "stack": lambda x, y: torch.stack([x, y]),
    "rows": lambda x, y: x[:, None] * y, "outer": torch.outer,
    "differences": lambda x, y: x[..., None] - y,
    "einsum": lambda x, y: torch.einsum("i...,j...->ij", x, y), "minimum": torch.minimum,
    "masked": lambda x, y: x.masked_fill(y > 0, 0.1), "equal": torch.eq, "less": torch.lt,
    "quotient": lambda x, y: x / y, "power": lambda x, y: x.abs() ** y,
    "taken": lambda x, y: x[y.long() % len(x)],
    "index_add": lambda x, y: x.index_add(0, torch.zeros(len(y), dtype=torch.int64), y),
    "add in place": changed(lambda x: x, lambda x, y: x.add_(y)),
    "add to tail": changed(lambda x: x[1:], lambda x, y: x.add_(y[1:])),
    "copied column": changed(lambda x: x[:, 0], lambda x, y: x.copy_(y[..., -1])),
    "cross": lambda x, y: F.cross_entropy(x, y.long() % x.shape[-1]), "mse": F.mse_loss,
    "bce": F.binary_cross_entropy_with_logits, "nll": lambda x, y: F.nll_loss(x, y % x.shape[-1]),
    "gather": lambda x, y: x.gather(-1, y.abs()[:, None] % x.shape[-1]), "linear": F.linear,
    "and": lambda x, y: (x > 0) & (y > 0), "lerp": lambda x, y: torch.lerp(x, y, 0.3),
}  # fmt: skip
OPERATIONS = {**{name: (f, 1) for name, f in UNARY.items()},
              **{f"{name} two": (f, 2) for name, f in BINARY.items()}}  # fmt: skip
OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.001),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.001),
}
SPECIAL = (np.inf, -np.inf, np.nan, -0.0, 0.0)


@dataclass(frozen=True)
class Recipe:
    """A program to be made, by names: it prints as what makes it again."""

    steps: tuple
    """Operations, and how far back the values lie that each takes."""
    dtype: str
    columns: tuple
    """How many numbers a row has, and how many come of it."""
    optimizer: str
    to_none: bool
    special: bool
    """Whether ∞, NaN and −0 are among the numbers."""
    threads: int
    sizes: tuple


@st.composite
def recipes(draw, sizes):
    """Random programs, called with batches of these sizes."""
    names = draw(st.lists(st.sampled_from(sorted(OPERATIONS)), min_size=2, max_size=12))
    places = st.integers(0, 9)
    steps = [(name, *[draw(places) for _ in range(OPERATIONS[name][1])]) for name in names]
    return Recipe(
        tuple(steps), draw(st.sampled_from(["float64", "float64", "float32"])),
        draw(st.sampled_from([(4, 3), (3, 3), (4, 1), (1, 2)])),
        draw(st.sampled_from([*OPTIMIZERS])), draw(st.booleans()),
        draw(st.sampled_from([False, False, True])), draw(st.integers(1, 2)),
        draw(st.sampled_from(sizes)),
    )  # fmt: skip


class Training:
    """A step of training made of a recipe, and what it trains."""

    def __init__(self, recipe):
        self.recipe, self.dtype = recipe, getattr(torch, recipe.dtype)
        inner, columns = recipe.columns
        torch.manual_seed(0)
        self.w = torch.randn(inner, columns, dtype=self.dtype).requires_grad_()
        self.b = torch.randn(columns, dtype=self.dtype).requires_grad_()
        self.mean = torch.zeros(columns, dtype=self.dtype)
        self.optimizer = OPTIMIZERS[recipe.optimizer]([self.w, self.b])
        self.schedule = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, 0.9)

    def step(self, x, y, label, mask):
        """Compute, go backward, update; operations that do not fit are left out."""
        self.optimizer.zero_grad(set_to_none=self.recipe.to_none)
        values = [label, mask, self.w, y + self.b, x, x @ self.w]
        for name, *places in self.recipe.steps:
            function = OPERATIONS[name][0]
            try:
                values.append(function(*[values[-1 - place % len(values)] for place in places]))
            except (RuntimeError, IndexError, NotImplementedError, ValueError, TypeError):
                continue
        kept = [v for v in values if v.numel() and v.is_floating_point()]
        loss = sum(value.mean() for value in kept) + values[-1].sum()
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            self.mean.mul_(0.9).add_(y.mean(0))
            x.mul_(0.5)
        return loss, *values[-3:]

    def batch(self, n, size):
        """The arguments of call n."""
        random = np.random.default_rng(n)
        x, y = [random.standard_normal((size, width)) for width in self.recipe.columns]
        if self.recipe.special:
            for array in (x, y):
                chosen = random.random(array.shape) < 0.2
                array[chosen] = random.choice(SPECIAL, chosen.sum())
        label = torch.tensor(random.integers(0, 3, size))
        mask = torch.tensor(random.random(size) < 0.5)
        return torch.tensor(x, dtype=self.dtype), torch.tensor(y, dtype=self.dtype), label, mask

    def done(self, step):
        """What each call gave, and left behind."""
        for n, size in enumerate(self.recipe.sizes):
            torch.manual_seed(n)
            batch = self.batch(n, size)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                returned = step(*batch)
            grads = [p.grad for p in (self.w, self.b)]
            state = [
                v
                for p in (self.w, self.b)
                for v in self.optimizer.state[p].values()
                if isinstance(v, torch.Tensor)
            ]
            self.schedule.step()
            left = [*returned, batch[0], self.w, self.b, self.mean, *grads, *state]
            yield [None if t is None else t.detach().clone() for t in left] + [torch.rand(1)]


def assert_same(found, wanted, rtol, atol, told):
    """Tensors of the same shape, type and, but for rounding, numbers, to the sign of 0."""
    if found is None or wanted is None:
        assert found is wanted, told
        return
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype), told
    ours, theirs = np.asarray(found), np.asarray(wanted)
    if ours.dtype.kind != "f":
        np.testing.assert_array_equal(ours, theirs, told)
        return
    np.testing.assert_allclose(ours, theirs, rtol, atol, equal_nan=True, err_msg=told)
    zero = (ours == 0) & (theirs == 0)
    np.testing.assert_array_equal(np.signbit(ours[zero]), np.signbit(theirs[zero]), told)


def assert_agree(recipe, make):
    """A step run as it is, and as `make` makes it; this is returned."""
    eager, other = Training(recipe), Training(recipe)
    step = make(other.step)
    tolerances = (1e-8, 1e-10) if recipe.dtype == "float64" else (2e-3, 1e-4)
    calls = zip(other.done(step), eager.done(eager.step), recipe.sizes, strict=True)
    for n, (ours, theirs, size) in enumerate(calls):
        for place, (found, wanted) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(found, wanted, *tolerances, f"call {n}, {size} rows, value {place}")
    return step
