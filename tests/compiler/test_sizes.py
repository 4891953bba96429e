"""One program for any size: when it is compiled, what it is guarded by, and when there is none."""

import gc
import warnings
import weakref

import numpy as np
import pytest

import tinygrad_mnist as torch
from tests.compiler import steps
from tinygrad_mnist.compiler.sizes import fit, fit_ratio, unified
from tinygrad_mnist.nn import functional as F

pytestmark = pytest.mark.usefixtures("plain")

SIZES = (9, 12, 8, 1, 2, 7, 17, 8, 10, 11, 15)


def reasons(compiled):
    return len(compiled.stats.recompilations)


STEPS = {
    "logistic": (lambda: steps.logistic("functional"), (784,), (0.1,)),
    "convolutional": (steps.convolutional, (64,), ()),
    "normalised": (steps.normalised_perceptron, (12,), ()),
    "attentive": (steps.attentive, (3, 4), ()),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_of_any_size_is_compiled_once_more(name):
    make, shape, rest = STEPS[name]
    (function, found), (eager, wanted) = make(), make()
    compiled = torch.compile(function)
    batches = [(torch.randn(n, *shape), torch.randint(0, 5, (n,))) for n in (9, 9, 12, 8, 9)]
    for n, batch in enumerate(batches):
        torch.manual_seed(n)
        ours = compiled(*batch, *rest)
        torch.manual_seed(n)
        np.testing.assert_allclose(ours.item(), eager(*batch, *rest).item(), rtol=1e-4)
        if n == 2:
            known = reasons(compiled)
    assert reasons(compiled) == known <= 2  # the first call makes gradients, or buffers
    assert "s0 = x.shape[0]" in compiled.source
    assert "s0×" in str(compiled.program)
    for key in wanted:
        np.testing.assert_allclose(found[key].detach(), wanted[key].detach(), 2e-3, 1e-4)


LOOKS = {
    "comparison": lambda x: x * 2 if x.shape[0] > 8 else x + 1,
    "size": lambda x: x * 2 if x.size(0) > 8 else x + 1,
    "size of all": lambda x: x / x.size()[0],
    "length": lambda x: x * len(x),
    "count": lambda x: x * 2 if x.numel() > 30 else x,
    "names": lambda x: (lambda n, m: x.reshape(m, n).sum(0) / n)(*x.shape),
    "range": lambda x: sum(x[n] for n in range(x.shape[0])),
    "loop": lambda x: sum((row * row).sum() for row in x),
    "remainder": lambda x: x * 2 if x.shape[0] % 2 else x,
    "quotient": lambda x: x[: x.shape[0] // 2].sum(0),
    "least": lambda x: x[: min(x.shape[0], 8)] * 2,
    "largest": lambda x: x * max(x.shape[0], 8),
    "key": lambda x: x * {8: 2.0, 9: 3.0}.get(x.shape[0], 1.0),
    "text": lambda x: x * float(str(x.shape[0])),
    "digits": lambda x: x * len(f"{x.shape[0]}"),
    "index": lambda x: x * (1, 2, 3)[x.shape[0] % 3],
    "bool": lambda x: x * bool(x.shape[0] - 8),
    "equal": lambda x: x * (x.shape == (8, 3)),
    "root": lambda x: x * int(x.shape[0] ** 0.5),
    "float": lambda x: x / float(x.shape[0]) ** 0.5,
    "bits": lambda x: x * (x.shape[0] & 4),
    "stride": lambda x: x * x.T.contiguous().stride(0),
    "bytes": lambda x: x * x.nbytes,
    "chunk": lambda x: x.chunk(3)[-1] * 2,
    "split": lambda x: x.split(4)[-1] * 2,
    "shifted": lambda x: x[1:] - x[:-1],
    "last": lambda x: x[-1] + x[x.shape[0] - 1],
    "steps": lambda x: x[::2] * 2,
    "count up": lambda x: x + torch.arange(len(x))[:, None],
    "zeros": lambda x: torch.zeros(len(x), 2) + x.sum(),
    "listed": lambda x: x * torch.tensor([float(n) for n in range(len(x))])[:, None],
    "one more": lambda x: torch.cat([x, x.new_ones(1, 3)]),
    "twice": lambda x: torch.cat([x, x]).mean(0),
    "square": lambda x: (x @ x.T).sum(0) / x.shape[0] ** 2,
    "padded": lambda x: F.pad(x, (0, 0, 0, 16 - len(x) % 16)),
    "triangle": lambda x: (x @ x.T).tril().sum(-1),
    "diagonal": lambda x: (x @ x.T).diagonal() + x.shape[0],
    "variance": lambda x: x.var(0),
    "flipped": lambda x: x.flip(0) * x,
    "rolled": lambda x: x.roll(2, 0),
    "repeated": lambda x: x.repeat(2, 1).sum(0),
    "bounded": lambda x: x.clamp(max=x.shape[0] - 8.0),
    "gathered": lambda x: x.gather(0, torch.zeros(1, 3, dtype=torch.int64) + (len(x) - 1)),
    "windows": lambda x: F.avg_pool1d(F.pad(x.T[None], (1, 1)), 2)[0].sum(1),
    "median": lambda x: x.sort(0).values[len(x) // 2],
    "views": lambda x: x.view(-1)[: x.numel() - 1],
    "returned": lambda x: (x * 2, x.shape[0]),
    "normal": lambda x: F.layer_norm(x, x.shape),
    "softmax": lambda x: F.softmax(x, 0).amax(0),
    "mask": lambda x: (
        (x @ x.T)
        .masked_fill(torch.triu(torch.ones(len(x), len(x), dtype=torch.bool), 1), -1.0)
        .sum(1)
    ),
    "left over": lambda x: x[len(x) // 4 * 4 - 1 :].sum(0) * (len(x) // 4),
    "mode": lambda x: x.T.reshape(-1, len(x)).sum(0),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_whatever_python_does_with_a_size_is_done_anew(look):
    torch.manual_seed(0)
    compiled = torch.compile(look)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for n in SIZES:
            x = torch.randn(n, 3)
            ours, wanted = compiled(x), look(x)
            if isinstance(wanted, tuple):
                assert ours[1] == wanted[1]
                ours, wanted = ours[0], wanted[0]
            assert ours.shape == wanted.shape
            assert ours.stride() == wanted.stride()
            np.testing.assert_allclose(ours, wanted, 1e-5, 1e-5)


def test_gradients_asked_for_after_the_call_are_of_any_size():
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 4)

    def function(x, y):
        return F.cross_entropy(layer(x).tanh(), y)

    compiled = torch.compile(function)
    for n in SIZES:
        x, y = torch.randn(n, 3, requires_grad=True), torch.randint(0, 4, (n,))
        found = torch.autograd.grad(compiled(x, y), (x, layer.weight))
        for ours, theirs in zip(
            found, torch.autograd.grad(function(x, y), (x, layer.weight)), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, 1e-4, 1e-5)
    assert "s0" in compiled.back.source
    assert reasons(compiled) == 2  # any size, and 1


def test_two_dimensions_of_any_size():
    compiled = torch.compile(lambda x, w: (x @ w).softmax(-1).sum((0, 1)))
    for batch, length in ((4, 5), (6, 7), (3, 9), (8, 4), (5, 5), (2, 11)):
        x, w = torch.randn(batch, length, 3), torch.randn(3, 2)
        wanted = (x @ w).softmax(-1).sum((0, 1))
        np.testing.assert_allclose(compiled(x, w), wanted, 1e-5)
    assert reasons(compiled) == 1
    assert compiled.stats.recompilations == ["x is float32 6×7×3, not float32 4×5×3"]


def test_masks_of_any_size():
    def causal(x):
        later = torch.triu(torch.ones(len(x), len(x), dtype=torch.bool), 1)
        return (x @ x.T).masked_fill(later, -torch.inf).softmax(-1).mean() / 12

    compiled = torch.compile(causal)
    for n in (5, 6, 9, 3):
        x = torch.randn(n, 2)
        np.testing.assert_allclose(compiled(x), causal(x), 1e-5)
    assert reasons(compiled) == 1


def test_sizes_that_were_alike_may_differ_later():
    compiled = torch.compile(lambda x, y: x.sum() + y.sum() * y.shape[0])
    for a, b in ((4, 4), (6, 6), (3, 8), (9, 2), (7, 7)):
        x, y = torch.randn(a), torch.randn(b)
        np.testing.assert_allclose(compiled(x, y), x.sum() + y.sum() * b, 1e-5, 1e-6)
    assert reasons(compiled) == 2


@pytest.mark.parametrize(("dynamic", "count"), [(None, 1), (True, 0), (False, 4)])
def test_dynamic_says_from_when_on_sizes_are_symbols(dynamic, count):
    compiled = torch.compile(lambda x, y: (x * 2 + y[:, None]).sum(1), dynamic=dynamic)
    for n in (4, 6, 3, 8, 5):
        assert compiled(torch.ones(n, 3), torch.ones(n)).tolist() == [9] * n
    assert reasons(compiled) == count


def test_sizes_that_go_two_ways_have_two_programs():
    def function(x):
        return x[: min(len(x), 8)] * 2 if len(x) % 2 else x + 1

    compiled = torch.compile(function)
    for n in (6, 12, 5, 7, 3, 9, 11, 8, 13, 10, 15, 4):
        assert torch.equal(compiled(torch.ones(n)), function(torch.ones(n)))
    assert reasons(compiled) < 6


DIVIDED = {
    "every third": lambda x: x[1::3] * 2,
    "half": lambda x: (x[: len(x) // 2] * 2).mean(0) + x[len(x) // 3 :].sum(0),
    "last chunk": lambda x: x.chunk(3)[-1] * 2,
    "pooled": lambda x: F.max_pool1d(x.T[None], 2)[0].sum(1),
    "pooled, rounded up": lambda x: F.max_pool1d(x.T[None], 3, 2, 1, ceil_mode=True)[0].sum(1),
    "strided": lambda x: F.conv1d(x.T[None], torch.ones(2, 3, 5), None, 3, 2)[0].sum(1),
    "spread": lambda x: F.conv_transpose1d(x[::2].T[None], torch.ones(3, 2, 3), None, 2).mean(2),
    "valid": lambda x: (
        F.conv2d((x[::2] @ x.T)[None, None], torch.ones(2, 1, 3, 3)).flatten().mean()
    ),
    "twice": lambda x: F.avg_pool1d(F.avg_pool1d(x.T[None], 2), 2)[0].sum(1),
}


@pytest.mark.parametrize("function", DIVIDED.values(), ids=DIVIDED)
def test_sizes_that_are_divided(function):
    torch.manual_seed(0)
    compiled = torch.compile(function)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in (28, 30, 33, 35, 31, 40, 64, 51, 29, 17, 100, 38, 26, 45):
            x = torch.randn(n, 3)
            wanted = function(x)
            assert compiled(x).shape == wanted.shape
            np.testing.assert_allclose(compiled(x), wanted, 1e-5, 1e-5)
    assert reasons(compiled) <= 2
    assert " // " in compiled.source


@pytest.mark.parametrize("square", [True, False])
def test_images_of_any_size_have_one_program_more(square):
    torch.manual_seed(0)
    pool = torch.nn.MaxPool2d(2, ceil_mode=True)
    layers = [torch.nn.Conv2d(1, 4, 3, 2, 1), torch.nn.ReLU(), torch.nn.Conv2d(4, 4, 3), pool]
    model = torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())

    def step(x, y):
        model.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss.detach()

    compiled = torch.compile(step)
    for n, m in ((28, 24), (30, 31), (33, 35), (41, 30), (64, 37), (51, 52), (27, 100)):
        x, y = torch.randn(3, 1, n, n if square else m), torch.randint(0, 4, (3,))
        for _ in range(2):
            ours = compiled(x, y)
        grads = [p.grad for p in model.parameters()]
        np.testing.assert_allclose(ours, step(x, y), 1e-5)
        for grad, p in zip(grads, model.parameters(), strict=True):
            np.testing.assert_allclose(grad, p.grad, 1e-3, 1e-5)
    assert reasons(compiled) <= 2


def test_settings(monkeypatch):
    config = torch._dynamo.config
    monkeypatch.setattr(config, "automatic_dynamic_shapes", False)
    monkeypatch.setattr(config, "recompile_limit", config.recompile_limit)
    config.cache_size_limit = 2
    compiled = torch.compile(lambda x: x * 2)
    for n in (4, 6):
        compiled(torch.ones(n))
    with pytest.warns(UserWarning, match="compiled 2 times"):
        compiled(torch.ones(3))


def test_marked_dimensions():
    def scaled(mark, count):
        compiled = torch.compile(lambda x: x * 2)
        for n in (4, 6, 3, 8):
            x = torch.ones(n)
            mark(x, 0)
            assert compiled(x).tolist() == [2] * n
        assert reasons(compiled) == count

    scaled(torch.compiler.mark_dynamic, 0)
    scaled(torch._dynamo.maybe_mark_dynamic, 0)
    scaled(torch._dynamo.mark_static, 3)
    x, w = torch.ones(2, 3), torch.ones(3, 2)
    torch._dynamo.mark_dynamic(x, -1)
    with pytest.raises(RuntimeError, match=r"dimension 1 .* no other size than 3"):
        torch.compile(lambda x: x @ w)(x)
    with pytest.raises(AssertionError, match="Expected index"):
        torch._dynamo.mark_dynamic(x, "rows")


def test_stances():
    compiled = torch.compile(lambda x: x * 2)
    with torch.compiler.set_stance("force_eager"):
        compiled(torch.ones(3))
    with pytest.raises(RuntimeError, match="nothing is compiled yet"):
        compiled.stats  # noqa: B018
    with (
        torch.compiler.set_stance("fail_on_recompile"),
        pytest.raises(RuntimeError, match="'fail_on_recompile', and this is its first call"),
    ):
        compiled(torch.ones(3))
    for n in (3, 4):
        compiled(torch.ones(n))
    fails = torch.compiler.set_stance("fail_on_recompile")(compiled)
    assert fails(torch.ones(5)).tolist() == [2] * 5
    with pytest.raises(RuntimeError, match="x is float32 2×2, not float32 5"):
        fails(torch.ones(2, 2))
    with torch.compiler.set_stance("eager_on_recompile"):
        compiled(torch.ones(2, 2))
    assert reasons(compiled) == 1
    with torch.compiler.set_stance("eager_then_compile"):
        compiled(torch.ones(2, 2))
        assert reasons(compiled) == 1
        compiled(torch.ones(2, 2))
    assert reasons(compiled) == 2
    for stance, options in (("any", {}), ("force_eager", {"force_backend": "inductor"})):
        with pytest.raises(RuntimeError, match="stance"):
            torch.compiler.set_stance(stance, **options)


def test_after_some_programs_what_needs_another_runs_uncompiled(monkeypatch):
    monkeypatch.setattr(torch.compiler.config, "recompile_limit", 3)
    compiled = torch.compile(lambda x: x * len(x), dynamic=False)
    for n in (2, 3, 4):
        compiled(torch.ones(n))
    with pytest.warns(UserWarning, match="compiled 3 times.*x is float32 5, not float32 4"):
        assert compiled(torch.ones(5)).tolist() == [5] * 5
    with warnings.catch_warnings(), torch.compiler.set_stance("fail_on_recompile"):
        warnings.simplefilter("error")
        for n in (5, 3):  # which is compiled still
            assert compiled(torch.ones(n)).tolist() == [n] * n
        with pytest.raises(RuntimeError, match="fail_on_recompile"):
            compiled(torch.ones(6))


SCALE = 2


def test_a_reason_names_what_a_guard_found(monkeypatch):
    compiled = torch.compile(lambda x: x.sum(SCALE - 1))
    for scale in (1, 2):
        monkeypatch.setitem(globals(), "SCALE", scale)
        compiled(torch.ones(2, 2))
    assert compiled.stats.recompilations == ["SCALE changed, which it reads"]


def accumulating():
    w = torch.ones(3, requires_grad=True)

    def step(x):
        loss = (x * w).sum()
        loss.backward()
        return loss

    return step


def with_momentum():
    w = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)

    def step(x):
        optimizer.zero_grad()
        (x * w).sum().backward()
        optimizer.step()

    return step


ONE = torch.ones(3)
REASONS = {
    "x is float64 3, not float32 3": (lambda x: -x, (ONE,), (ONE.double(),)),
    "x is float32 3 with gradients, not float32 3": (
        lambda x: x.exp(), (ONE,), (ONE.clone().requires_grad_(),)
    ),
    "x is float32 1, not float32 3": (lambda x: -x, (ONE,), (ONE[:1],)),
    "x is float32 1×3, not float32 3": (lambda x: -x, (ONE,), (ONE[None],)),
    "n is False, not True": (lambda x, n: x * 2 if n else x + 1, (ONE, True), (ONE, False)),
    "a number is -4.0, not 3.0": (lambda x, n: x * n if n > 0 else x + n, (ONE, 3.0), (ONE, -4.0)),
    "y is the same as x, not float32 3": (lambda x, y: x * y, (ONE, ONE * 2), (ONE, ONE)),
    "a leaf 3 has a gradient now": (accumulating(), (ONE,), (ONE,)),
    "a defaultdict that it reads holds 1 things, not 0": (with_momentum(), (ONE,), (ONE,)),
    "a label is the one that a loss ignores": (
        lambda x, y: F.cross_entropy(x, y),
        (torch.ones(2, 3), torch.tensor([0, 1])), (torch.ones(2, 3), torch.tensor([0, -100])),
    ),
}  # fmt: skip


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_says_what_is_other_than_it_was(reason):
    function, *calls = REASONS[reason]
    compiled = torch.compile(function)
    for arguments in calls:
        compiled(*arguments)
    assert compiled.stats.recompilations == [reason]


def test_kinds_of_calls_are_forgotten_and_programs_freed_with_the_function(monkeypatch):
    monkeypatch.setattr("tinygrad_mnist.compiler.compiled._MOST_KINDS", 3)
    compiled = torch.compile(lambda x: x * 2)
    for n in range(2, 12):
        compiled(torch.ones(n))
    assert len(compiled._entries) == 3
    assert reasons(compiled) == 1
    kept = weakref.ref(compiled._newest.built.function)
    del compiled
    gc.collect()
    assert kept() is None


def test_memory_is_flat_while_sizes_change(monkeypatch):
    monkeypatch.setattr("tinygrad_mnist.compiler.compiled._MOST_KINDS", 4)
    layer = torch.nn.Linear(3, 2)
    compiled = torch.compile(lambda x: layer(x).tanh().sum())

    def held(sizes):
        for n in sizes:
            compiled(torch.ones(n, 3)).backward()
        gc.collect()
        return len(gc.get_objects())

    held(range(2, 10))
    before = held(range(10, 20))
    assert held(range(20, 50)) - before < 30


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((7, 7, 7), "7"), ((20, 30, 50), "10 * s0"), ((4, 9, 25), "s0 * s0"), ((1, 2, 4), "s0 - 1"),
        ((9, 11, 15), "2 * s0 + 5"), ((-2, -3, -5), "-s0"), ((1, 0, -2), "-s0 + 3"),
        ((1, 2, 3), None),
    ],
)  # fmt: skip
def test_whole_numbers_as_expressions_of_sizes(values, text):
    size = fit([(2,), (3,), (5,)], values)
    assert size is None if text is None else str(size) == text


def test_ratios_and_texts_of_sizes():
    points = [(2,), (3,), (5,)]
    assert str(fit_ratio(points, [-0.5, -1 / 3, -0.2])) == "-1.0 / s0"
    assert str(fit_ratio(points, [2.0, 1.5, 1.25])) == "s0 / (s0 - 1)"
    assert fit_ratio(points, [0.1, 0.7, 0.3]) is None
    texts = [f"for i in range({n}): a{n - n}[{10 * n} // {n - 1}] = 1e-05" for n in (2, 3, 5)]
    assert unified(points, texts) == "for i in range(s0): a0[(10 * s0) // (s0 - 1)] = 1e-05"
    assert unified(points, ["a", "b", "a"]) is None
    assert unified(points, ["1", "2", "3"]) is None


def test_means_of_one_number():
    compiled = torch.compile(lambda x: (x.sum(-1, keepdim=True).mean(0, keepdim=True), x.mean(0)))
    x = torch.tensor([[1.0, 2.0]])
    total, mean = compiled(x)
    assert total.tolist() == [[3]]
    assert mean.tolist() == [1, 2]
