"""Operations of every kind, forward and backward, compiled and uncompiled, call after call."""

import numpy as np
import pytest

import tinygrad_mnist as torch
from tinygrad_mnist.nn import functional as F


def put(x, key, value):
    x[key] = value
    return x


def changed(x):
    rows = x.view(-1, x.shape[-1])
    rows[0].mul_(2)
    x[1:] += rows[:1]
    return x


MATRIX = [(3, 4), (3, 4)]
BLOCK = [(3, 4, 2), (3, 4, 2)]
IMAGES = [(2, 3, 6, 5), (2, 3, 6, 5)]


def places(size, *shape):
    """Whole numbers below `size`, as an operand."""
    return ("places", size, shape)


CASES = {
    "any broadcasting": [
        (lambda w, x: w * x, (3, 1, 2), (1, 4, 2)),
        (lambda w, x: w - x, (4, 1), (3, 4, 2)),
        (lambda w, x: w[:, None] / (1 + x[None] ** 2), (3, 4), (5, 4)),
        (lambda w, x: torch.where(x > 0, w, x), (3, 1, 2), (4, 1)),
        (lambda w, x: w.expand(2, 3, 4) * x, (3, 1), (3, 4)),
        (lambda w, x: torch.maximum(w, x), (3, 1), (1, 4)),
        (lambda w, x: torch.cdist(w, x), (3, 4), (5, 4)),
    ],
    "as many rows as columns": [
        (lambda w, x: w * x.sum(1) + (w * x).amax(0), (4, 4), (4, 4)),
        (lambda w, x: w - x.mean(0) * w.sum(1) + x.sum(1, keepdim=True), (4, 4), (4, 4)),
        (lambda w, x: (w * x).sum(-1) * w + x.amax(-1), (3, 3, 3), (3, 3, 3)),
        (lambda w, x: (w @ x)[:, None] * (w @ x), (3, 3), (3, 3)),
        (lambda w, n: F.cross_entropy(w * w.sum(1), n), (4, 4), places(4, 4)),
    ],
    "reductions": [
        (lambda w, x: (w * x).sum(1), *BLOCK),
        (lambda w, x: (w * x).mean((0, 2), keepdim=True) * x, *BLOCK),
        (lambda w, x: (w * x).amax(0), *MATRIX),
        (lambda w, x: (w * x).amin((0, 2)), *BLOCK),
        (lambda w, x: (w * x).max(), *MATRIX),
        (lambda w, x: tuple((w * x).max(1)), *MATRIX),
        (lambda w, x: (w * x).min(0).values, *MATRIX),
        (lambda w, x: ((w * x).argmax(1), (w * x).argmin(), x.argmin(0, keepdim=True)), *MATRIX),
        (lambda w, x: (w * x).prod(1), *MATRIX),
        (lambda w, x: (w * x).var(1) + (w * x).std(0).sum(), *MATRIX),
        (lambda w, x: (w * x).norm(dim=0) + (w * x).norm(p=1), *MATRIX),
        (lambda w, x: (w * x).logsumexp(0), *MATRIX),
        (lambda w, x: w * (x > 0).any(1, keepdim=True) * (x < 2).all(0), *MATRIX),
        (lambda w, x: w * (x > 0).sum(0) + (x > 0).count_nonzero(), *MATRIX),
        (lambda w, x: F.normalize(w * x), *MATRIX),
    ],
    "softmax": [
        (lambda w, x: F.softmax(w * x, 0), *MATRIX),
        (lambda w, x: F.softmax(w * x, 1), *BLOCK),
        (lambda w, x: F.log_softmax(w * x, -1), *BLOCK),
        (lambda w, x: F.log_softmax(w * x, 0), *MATRIX),
        (lambda w, x: (w * x).masked_fill(x > 1, -torch.inf).softmax(-1), *MATRIX),
    ],
    "products": [
        (torch.bmm, (2, 3, 4), (2, 4, 3)),
        (lambda w, x: w @ x, (2, 3, 4), (4, 3)),
        (lambda w, x: x @ w, (4, 3), (2, 3, 4)),
        (lambda w, x: w @ x, (2, 1, 3, 4), (2, 4, 3)),
        (lambda w, x: w @ x.transpose(1, 2), (2, 3, 4), (2, 5, 4)),
        (lambda w, x: w @ x, (3, 4), (4,)),
        (lambda w, x: x @ w, (3, 4), (3,)),
        (lambda w, x: w @ x, (4,), (4,)),
        (torch.outer, (4,), (3,)),
        (lambda w, n: w * (n @ n.T).sum() + n[0] @ n.T.int().long(), (3, 3), places(9, 3, 4)),
        (lambda w, x: torch.einsum("bhqd,bhkd->bhqk", w, x), (2, 2, 3, 4), (2, 2, 5, 4)),
        (lambda w, x: torch.einsum("ij,bj->bi", w, x), (3, 4), (2, 4)),
        (lambda w, x: F.linear(x, w, w[:, 0]), (5, 4), (2, 3, 4)),
        (lambda w, x: torch.addmm(x, w, w.T, alpha=0.5), (3, 4), (3, 3)),
        (lambda w, x: F.scaled_dot_product_attention(w, x, x, is_causal=True), *[(2, 3, 4)] * 2),
    ],
    "joining and cutting": [
        (lambda w, x: torch.cat([w, x, w], 1), (3, 4), (3, 2)),
        (lambda w, x: torch.stack([w, x], 1), *MATRIX),
        (lambda w, x: w[1:, ::2] * x[:2, 2:], *MATRIX),
        (lambda w, x: w[1] * x[:, 0][:, None] + w[-1, -1], *MATRIX),
        (lambda w, x: w[None, :, None] * x[:, None, 1:2], *MATRIX),
        (lambda w, x: [a * b for a, b in zip(w.chunk(2, 1), x.chunk(2, 1), strict=True)], *MATRIX),
        (lambda w, x: sum(w.unbind(0)) * torch.roll(x, 1, 0), *MATRIX),
        (lambda w, x: w.repeat(2, 1) * x.repeat_interleave(2, 0), *MATRIX),
        (lambda w, x: w.permute(2, 0, 1).reshape(2, 12) + x.flip(1).reshape(2, 12), *BLOCK),
        (lambda w, x: F.pad(w, (1, 2), value=2.0) + F.pad(x, (2, 1)), *MATRIX),
        (lambda w, x: F.pad(w * x, (1, 1, 2, 2), mode="reflect"), *IMAGES),
        (lambda w, x: torch.tril(w) @ x.T + torch.triu(w, 1) @ x.T, *MATRIX),
        (lambda w, x: (w @ x.T).diagonal(1).sum() + (w @ x.T).trace() + torch.diag(w[0]), *MATRIX),
    ],
    "places": [
        (lambda w, n: w.gather(1, n), (3, 4), places(4, 3, 2)),
        (lambda w, n: w.gather(0, n), (3, 4), places(3, 2, 4)),
        (lambda w, n: torch.take_along_dim(w, n, 1), (3, 4), places(4, 3, 2)),
        (lambda w, n: w[n] * w[:, [0, -1, 1]][0, 0], (5, 4), places(5, 2, 3)),
        (lambda w, n: w[:, n] + w[0, n], (5, 4), places(4, 7)),
        (lambda w, n, m: w[n, m], (5, 4), places(5, 7), places(4, 7)),
        (lambda w, n, m: w[n, :, m], (5, 4, 3), places(5, 6), places(3, 6)),
        (lambda w, n: w.index_select(1, n), (3, 4), places(4, 6)),
        (lambda w, n: w[n * 2 % 5], (5, 4), places(5, 3)),
        (lambda w, n: F.embedding(n, w, padding_idx=1), (5, 4), places(5, 2, 3)),
        (lambda w, n: F.one_hot(n, 4) * w, (3, 4), places(4, 3)),
        (lambda w, x, n: w.scatter_add(1, n, x), (3, 4), (3, 5), places(4, 3, 5)),
        (lambda w, x, n: w.scatter(1, n, x), (3, 4), (3, 1), places(4, 3, 1)),
        (lambda w, x, n: torch.index_add(w, 0, n, x), (3, 4), (5, 4), places(3, 5)),
        (lambda w, n: put(w.clone(), n, 2.0), (3, 4), places(3, 2)),
        (lambda w, x, n: put(w.clone(), (slice(1, 3), n), x), (4, 5), (2, 1), places(5, 1)),
        (lambda w, x: put(w.clone(), x > 0, 1.0), *MATRIX),
        (lambda w, x: put(w.clone(), (slice(0, 2), 1), x[:2, 0]), *MATRIX),
        (lambda w, x: changed(w * x), *MATRIX),
    ],
    "running sums": [
        (lambda w, x: (w * x).cumsum(0), *MATRIX),
        (lambda w, x: (w * x).cumsum(1) + (x > 0).cumsum(0), *MATRIX),
        (lambda w, x: (w * x).cumprod(1), *MATRIX),
        (lambda w, x: (w * x).sum().cumsum(0) + (w * x).mean().cumprod(0), *MATRIX),
    ],
    "windows": [
        (lambda w, x: F.max_pool2d(w * x, 2), *IMAGES),
        (lambda w, x: F.max_pool2d(w * x, 3, 2, 1, return_indices=True), *IMAGES),
        (lambda w, x: F.max_pool2d(w * x, 2, 1, 1, 2, ceil_mode=True), *IMAGES),
        (lambda w, x: F.max_pool2d(w * x, (2, 3)), *[shape[1:] for shape in IMAGES]),
        (lambda w, x: F.max_pool1d(w * x, 2), *BLOCK),
        (lambda w, x: F.avg_pool2d(w * x, 2), *IMAGES),
        (lambda w, x: F.avg_pool2d(w * x, 3, 2, 1, count_include_pad=False), *IMAGES),
        (lambda w, x: F.adaptive_avg_pool2d(w * x, (2, 3)), *IMAGES),
        (lambda w, x: F.adaptive_max_pool2d(w * x, (4, 2)), *IMAGES),
        (lambda w, x: F.interpolate(w * x, scale_factor=2), *IMAGES),
        (lambda w, x: F.unfold(w * x, 2, stride=2), *IMAGES),
        (lambda w, x: F.conv2d(x, w), (2, 3, 2, 2), (2, 3, 4, 4)),
    ],
    "element-wise": [
        (lambda w, x: w * (x > 0) * (x <= 1).to(w.dtype) * (x != 0), *MATRIX),
        (lambda w, x: w * ((x > 0) & (w < 1) | ~(x < 0) ^ (x > 1)), *MATRIX),
        (lambda w, x: (w * x).clamp(-1, 1) + w.clamp(min=x) + x.clamp(max=0.3), *MATRIX),
        (lambda w, x: torch.remainder(w, 0.5) + x // 0.3 + torch.fmod(w, 0.7), *MATRIX),
        (lambda w, x: torch.nan_to_num(w / x.round()) + torch.isfinite(x), *MATRIX),
        (lambda w, x: (w.abs() + 1) ** x + 2.0 ** (w * x), *MATRIX),
        (lambda w, x: torch.atan2(w, x) + torch.logaddexp(w, x) + torch.hypot(w, x), *MATRIX),
        (lambda w, x: torch.xlogy(w, x.abs()) + torch.erfc(w) + torch.erf(x), *MATRIX),
        (lambda w, x: torch.sinh(w) + torch.asin(x.tanh()) + torch.log2(w.abs()), *MATRIX),
        (lambda w, x: torch.lerp(w, x, 0.3) + torch.addcmul(w, x, x, value=0.5), *MATRIX),
        (lambda w, n: w * (n // 2) + w * (n % 3) + (n + 1) ** 2, (3, 4), places(9, 3, 4)),
    ] + [
        (lambda w, x, act=act: act(w * x), *MATRIX)
        for act in (
            F.celu, F.elu, F.gelu, F.hardshrink, F.hardsigmoid, F.hardswish, F.hardtanh,
            F.leaky_relu, F.logsigmoid, F.mish, F.relu6, F.selu, F.silu, F.softplus, F.softshrink,
            F.softsign, F.tanhshrink, lambda x: F.glu(x, 0 if x.shape[0] % 2 == 0 else 1),
            lambda x: F.prelu(x, x.mean().reshape(1)), lambda x: F.threshold(x, 0.1, 0.2),
        )
    ],
    "losses": [
        (lambda w, n: F.cross_entropy(w, n), (6, 5), places(5, 6)),
        (lambda w, n: F.cross_entropy(w, n, label_smoothing=0.1), (6, 5), places(5, 6)),
        (lambda w, n: F.cross_entropy(w, n, reduction="none"), (6, 5), places(5, 6)),
        (lambda w, n: F.cross_entropy(w, n, ignore_index=2), (6, 5), places(5, 6)),
        (lambda w, n: F.cross_entropy(w, n, w[0].detach(), reduction="sum"), (6, 5), places(5, 6)),
        (lambda w, n: F.cross_entropy(w, n * 2 % 5, w[0].detach(), ignore_index=0), (6, 5),
         places(5, 6)),
        (lambda w, n: F.cross_entropy(w, n), (2, 5, 3), places(5, 2, 3)),
        (lambda w, n: -F.log_softmax(w, 1).gather(1, n[:, None]).mean(), (6, 5), places(5, 6)),
        (lambda w, n: F.multi_margin_loss(w, n), (6, 5), places(5, 6)),
        (lambda w, x: F.binary_cross_entropy(w.sigmoid(), x.sigmoid()), *MATRIX),
        (lambda w, x: F.binary_cross_entropy_with_logits(w, x.sigmoid()), *MATRIX),
        (lambda w, x: F.kl_div(w.log_softmax(1), x.softmax(1), reduction="batchmean"), *MATRIX),
        (lambda w, x: F.smooth_l1_loss(w, x) + F.mse_loss(w, x) + F.l1_loss(w, x), *MATRIX),
        (lambda w, x: F.cosine_embedding_loss(w, x, torch.ones(3)), *MATRIX),
        (lambda w, x: torch.autograd.grad((w * x).pow(3).sum(), w, create_graph=True)[0], *MATRIX),
    ],
}  # fmt: skip
ALL = [(f"{kind}: {n}", case) for kind, cases in CASES.items() for n, case in enumerate(cases)]


def operand(described, dtype):
    if described[0] == "places":
        return torch.randint(0, described[1], described[2])
    return torch.randn(*described, dtype=dtype)


def stepping(cases, dtype):
    """A step that changes weights, for each case its own, by the gradients of what cases give."""
    torch.manual_seed(0)
    weights = [torch.randn(*shape, dtype=dtype).requires_grad_() for _, shape, *_ in cases]

    def step(*operands):
        results = []
        for (function, *_), w, others in zip(cases, weights, operands, strict=True):
            given = function(w, *others)
            results += given if isinstance(given, tuple | list) else [given]
        loss = sum((each * 1.0).pow(2).mean() for each in results)
        if loss.requires_grad:
            loss.backward()
        with torch.no_grad():
            for w in weights:
                if w.grad is not None:
                    w.sub_(0.1 * w.grad)
                    w.grad = None
        return [each.detach() for each in results]

    return step, weights


def assert_same(cases, dtype):
    eager, wanted = stepping(cases, dtype)
    step, found = stepping(cases, dtype)
    compiled = torch.compile(step)
    close = {"rtol": 2e-4, "atol": 2e-5} if dtype is torch.float32 else {"rtol": 1e-9}
    torch.manual_seed(1)
    for _ in range(3):
        given = [[operand(each, dtype) for each in others] for _, _, *others in cases]
        results, expected = compiled(*given), eager(*given)
        for ours, theirs in zip([*results, *found], [*expected, *wanted], strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(ours.detach(), theirs.detach(), **close)
    assert compiled.source.startswith("def step(")


@pytest.mark.usefixtures("plain")
@pytest.mark.filterwarnings("error:compile")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("case", [case for _, case in ALL], ids=[name for name, _ in ALL])
def test_an_operation_is_compiled(case, dtype):
    assert_same([case], dtype)


@pytest.mark.filterwarnings("error:compile")
def test_some_operations_in_one_program_compiled_by_numba():
    kinds = ("any broadcasting", "reductions", "joining and cutting", "places", "running sums")
    assert_same([CASES[kind][0] for kind in kinds], torch.float64)


NOTHING = torch.ones(0, 4)
REPLAYED = {
    "argsort": lambda x: x.sort(1).values,
    "conv2d": lambda x: F.conv2d(x[None, None].repeat(1, 2, 1, 1), x[:2, None, :2, None], groups=2),
    "bmm": lambda x: x[None].long() @ x[None].long(),
    "logcumsumexp": lambda x: x.logcumsumexp(0),
    "places_of": lambda x: sum(
        y.sum() for y in (*x.median(1), x.median(), *x.kthvalue(2, 0), *x.mode(1), *x.nanmedian(0))
    ),
    "running_places": lambda x: x.cummax(1).values - x.cummin(0).values,
    "determinant": torch.det,
    "place_of_max, in three dimensions,": lambda x: F.max_pool3d(x[None, None, None], (1, 2, 2)),
    "slice, which gives no numbers,": lambda x: x[:0].sum(1),
    "sum, which reads no numbers,": lambda x: x + NOTHING.sum(),
}


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("name", REPLAYED)
def test_what_has_no_loop_is_replayed(name):
    function = REPLAYED[name]
    step = torch.compile(function)
    with pytest.warns(
        UserWarning, match=f"the operation {name} cannot be compiled; the program is"
    ):
        step(torch.rand(4, 4))
    for _ in range(2):
        x = torch.rand(4, 4)
        np.testing.assert_array_equal(step(x), function(x))


UNCOMPILED = {
    "how many numbers a mask takes": lambda x: x[x > 0.5].sum(),
    "numbers of a tensor decide what is computed": lambda x: x * len(torch.nonzero(x > 0.5)),
    "numbers of a tensor decide what": lambda x: x[x.argmax() % 4],
    "comes from where no operation was seen": lambda x: x.histc(4) * 2,
    "quantile finds in NumPy": lambda x: x.quantile(0.5),
    "numbers of a tensor decide what is": lambda x: x.unique(),
    "a stream of random numbers starts again": lambda x: torch.manual_seed(0) and torch.rand(2),
    "numbers of a tensor decide how random": lambda x: torch.bernoulli(x),
}


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("reason", UNCOMPILED)
def test_what_no_program_can_do_runs_uncompiled(reason):
    function = UNCOMPILED[reason]
    step = torch.compile(function)
    for seed in range(3):
        x = torch.rand(4, 4)
        torch.manual_seed(seed)
        expected = function(x)
        torch.manual_seed(seed)
        if seed == 0:
            with pytest.warns(
                UserWarning, match=rf"runs uncompiled.*{reason}.*test_operations\.py"
            ):
                found = step(x)
        else:
            found = step(x)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shape", [(0,), (0, 4), (4, 0), (2, 0, 3)], ids=str)
@pytest.mark.parametrize("name", ["sum", "mean", "var", "prod", "all", "any", "logsumexp"])
def test_reductions_of_nothing(name, shape):
    def function(x):
        return (x.logsumexp(0) if name == "logsumexp" else getattr(x, name)()).sum() * 1

    x = torch.ones(shape)
    step = torch.compile(function)
    for rows in (2, 3, 0):
        step(torch.ones(rows, *shape[1:]))
        np.testing.assert_array_equal(step(x).numpy(), function(x).numpy())
