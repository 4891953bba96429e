"""`scan` gives what a loop over the batches gives, bit for bit, and leaves what it leaves."""

import contextlib
import copy
import signal
import threading

import numpy as np
import pytest

import tinygrad_mnist as torch
from tests.compiler import steps
from tinygrad_mnist import nn
from tinygrad_mnist.app import train
from tinygrad_mnist.app.datasets import synthetic
from tinygrad_mnist.app.datasets.digits import from_pixels
from tinygrad_mnist.compiler import native, native_loop
from tinygrad_mnist.kernels import dispatch
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.optim import lr_scheduler
from tinygrad_mnist.utils.data import DataLoader, TensorDataset

ROWS = 50


@pytest.fixture
def taken(monkeypatch, plain):
    """How many steps were taken in each run of the loop, which is written in Python here."""
    counts = []

    def compiled(step, arrays):
        def loop(address, count, arrays, done):
            counts.append(0)
            for n in range(count):
                at = [n if len(a) > 1 else 0 for a in arrays]
                rows = [a[k : k + 1].reshape(a.shape[1:]) for a, k in zip(arrays, at, strict=True)]
                if step.code(()).entry(*rows) >= 0:
                    return
                done[0] += 1
                counts[-1] += 1

        return loop, 0

    monkeypatch.setattr(native_loop, "compiled_loop", compiled)
    with dispatch.staying("what is compared is computed by the same kernels"):
        yield counts


def data(columns=12, classes=5):
    torch.manual_seed(1)
    return torch.rand(ROWS, columns), torch.randint(0, classes, (ROWS,))


def state(parameters):
    """The bits of parameters and their gradients, and how often they were changed."""
    return [
        (p.detach().numpy().tobytes(), p._version, None if p.grad is None else p.grad.tolist())
        for p in parameters.values()
    ]


def by_hand(step, loader, args=(), scheduler=None):
    """The loop that `scan` stands for."""
    losses = []
    for batch in loader:
        losses.append(step(*batch, *args).detach())
        if scheduler is not None:
            scheduler.step()
    return torch.stack(losses)


def assert_same(make, tensors, *args, epochs=2, **settings):
    """Some epochs by hand and some by `scan`, from the same start."""
    make()[0](*[tensor[:4] for tensor in tensors])  # what a process does once changes guards
    (one, mine), (other, theirs) = make(), make()
    one, other = torch.compile(one), torch.compile(other)
    torch.manual_seed(3)
    wanted = [
        by_hand(other, DataLoader(TensorDataset(*tensors), **settings), args) for _ in range(epochs)
    ]
    stream = torch.get_rng_state()
    torch.manual_seed(3)
    for losses in wanted:
        found = torch.compiler.scan(one, DataLoader(TensorDataset(*tensors), **settings), *args)
        assert found.tolist() == losses.tolist()
    assert state(mine) == state(theirs)
    assert torch.equal(torch.get_rng_state(), stream)


SGD, ADAM = torch.optim.SGD, torch.optim.AdamW
STEPS = {
    "sgd": lambda: steps.perceptron(lambda p: SGD(p, lr=0.1)),
    "momentum": lambda: steps.perceptron(lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True)),
    "adam": lambda: steps.perceptron(lambda p: ADAM(p, lr=0.01)),
    "amsgrad": lambda: steps.perceptron(lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True)),
    "clipped": steps.clipped,
    "dropout and batch normalisation": steps.normalised_perceptron,
    "gathered gradients": steps.gathering_gradients,
    "embedding": steps.looked_up,
}
NATIVE = {*STEPS} - {"dropout and batch normalisation"}


@pytest.mark.parametrize("name", STEPS)
def test_steps_are_taken_as_by_hand(name, taken):
    assert_same(STEPS[name], data(), batch_size=4, shuffle=True)
    assert (sum(taken) > ROWS // 4) is (name in NATIVE)


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": 7},
        {"batch_size": 7, "drop_last": True},
        {"batch_size": 25, "shuffle": True},
        {"batch_size": 7, "shuffle": True, "drop_last": True},
        {"batch_size": 4, "sampler": range(5, 44)},
        {"batch_size": 4, "sampler": [3, 1, 2] * 9},
        {"batch_size": 4, "sampler": torch.utils.data.SubsetRandomSampler(range(30))},
        {"batch_sampler": torch.utils.data.BatchSampler(range(30), 4, False)},
    ],
)
def test_batches_are_those_of_a_loader(settings, taken):
    assert_same(STEPS["sgd"], data(), **settings)


@pytest.mark.parametrize("name", ["sgd", "momentum", "gathered gradients"])
def test_one_program_for_batches_of_any_size(name, taken):
    (one, mine), (other, theirs) = STEPS[name](), STEPS[name]()
    one, other = torch.compile(one), torch.compile(other)
    for size in (4, 6, 10, 8):
        loader = DataLoader(TensorDataset(*data()), size)
        taken.clear()
        found = torch.compiler.scan(one, loader)
        assert found.tolist() == by_hand(other, loader).tolist()
        assert state(mine) == state(theirs)
        assert sum(taken) > len(loader) // 2


def test_a_generator_is_drawn_from_as_by_a_loader(taken):
    (one, _), (other, _) = STEPS["sgd"](), STEPS["sgd"]()
    ours, others = torch.Generator().manual_seed(5), torch.Generator().manual_seed(5)
    x, y = data()
    wanted = by_hand(other, DataLoader(TensorDataset(x, y), 8, shuffle=True, generator=others))
    step = torch.compile(one)
    found = torch.compiler.scan(step, (x, y), batch_size=8, shuffle=True, generator=ours)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert torch.equal(ours.get_state(), others.get_state())
    before = torch.get_rng_state()
    torch.compiler.scan(step, (x, y), batch_size=8)
    assert torch.equal(torch.get_rng_state(), before)


def test_rows_one_by_one_as_lax_scan_has_them(taken):
    total = torch.zeros(3)

    @torch.compile
    def step(x, scale):
        total.add_(x * scale)
        return {"sum": total + 0, "parts": (total.sum(), "x")}

    xs = torch.arange(30.0).reshape(10, 3)
    found = torch.compiler.scan(step, xs, 2.0)
    assert torch.equal(found["sum"], torch.cumsum(2 * xs, 0))
    assert torch.equal(found["parts"][0], torch.cumsum(2 * xs, 0).sum(1))
    assert found["parts"][1] == "x"
    assert sum(taken) > 6
    assert torch.compiler.scan(step, xs[:0], 2.0) is None


SCHEDULES = {
    "step": lambda o: lr_scheduler.StepLR(o, 5, 0.5),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 30),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=60),
    "one cycle that ends": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=45),
    "sequential": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, 1.0, 5), lr_scheduler.ExponentialLR(o, 0.9)], [6]
    ),
    "function": lambda o: lr_scheduler.LambdaLR(o, lambda n: 1 / (n + 1)),
}


def scheduled(name):
    torch.manual_seed(0)
    model = nn.Linear(12, 5)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = SCHEDULES[name](optimizer)

    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return torch.compile(step), model, scheduler


def kept(scheduler):
    own = {
        k: v for k, v in scheduler.state_dict().items() if k not in ("_schedulers", "lr_lambdas")
    }
    return own, [
        {k: v for k, v in g.items() if k != "params"} for g in scheduler.optimizer.param_groups
    ]


def outcome(call):
    try:
        return call().tolist()
    except (IndexError, ValueError) as error:
        return str(error)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("wrong", [None, 20])
def test_a_schedule_is_stepped_after_each_step(name, wrong, taken):
    (one, mine, ours), (other, wanted, theirs) = scheduled(name), scheduled(name)
    x, y = data()
    loader = DataLoader(TensorDataset(x, y), batch_size=2)
    by_hand(one, loader, scheduler=ours)
    by_hand(other, loader, scheduler=theirs)
    if wrong is not None:
        y[2 * wrong] = 9
    outcomes = [
        outcome(lambda: torch.compiler.scan(one, loader, scheduler=ours)),
        outcome(lambda: by_hand(other, loader, scheduler=theirs)),
    ]
    assert outcomes[0] == outcomes[1]
    assert state(dict(mine.named_parameters())) == state(dict(wanted.named_parameters()))
    assert kept(ours) == kept(theirs)
    assert bool(taken) is (name != "function")


def test_progress_is_told_of_every_step_before_an_error(taken):
    function, _ = STEPS["adam"]()
    x, y = data()
    y[40] = 9
    told = []
    with pytest.raises(IndexError):
        torch.compiler.scan(
            torch.compile(function), (x, y), batch_size=2,
            progress=lambda steps, losses: told.append((steps, len(losses))),
        )  # fmt: skip
    assert [steps for steps, _ in told] == np.cumsum([count for _, count in told]).tolist()
    assert told[-1][0] == 20


def test_a_step_that_is_not_compiled_is_called(taken):
    function, mine = STEPS["momentum"]()
    other, theirs = STEPS["momentum"]()
    x, y = data()
    found = torch.compiler.scan(function, (x, y), batch_size=8)
    wanted = by_hand(other, DataLoader(TensorDataset(x, y), batch_size=8))
    assert found.tolist() == wanted.tolist()
    assert state(mine) == state(theirs)
    assert not taken


def test_what_cannot_be_stacked_is_told(taken):
    step, x = torch.compile(lambda x: x + 1), torch.ones(2, 2)
    with pytest.raises(RuntimeError, match=r"shapes \[1\] and \[3\].*drop_last=True"):
        torch.compiler.scan(step, torch.ones(7), batch_size=3)
    for xs, error, told in (
        (None, TypeError, "found NoneType"), (np.ones(3), TypeError, "torch.from_numpy"),
        ([x, np.ones(3)], TypeError, "torch.from_numpy"), ({"x": x}, TypeError, "its values"),
        ([], ValueError, "no tensor"), (x[0, 0], ValueError, "no dimension"),
    ):  # fmt: skip
        with pytest.raises(error, match=told):
            torch.compiler.scan(step, xs)
    for name in ("scheduler", "progress"):
        with pytest.raises(TypeError, match=f"{name} is a .*, not int"):
            torch.compiler.scan(step, x, **{name: 3})
    with pytest.raises(ValueError, match="has its own batch_size"):
        torch.compiler.scan(step, DataLoader(torch.ones(4)), batch_size=3)


def test_a_step_that_changes_its_rows_or_reads_them_elsewhere(taken):
    """What a batch has in common with what is written is never run ahead."""
    xs = torch.arange(12.0)
    parameter = xs[:2]
    whole = torch.zeros(12)

    def step(x):
        parameter.add_(x)
        return x.sum() + parameter.sum()

    def changing(x):
        x.add_(1)
        return x.sum()

    for function in (step, changing):
        start = copy.deepcopy(xs.tolist())
        wanted = by_hand(function, DataLoader(TensorDataset(xs), batch_size=2)).tolist()
        after = xs.tolist()
        whole.copy_(xs)
        xs.copy_(torch.tensor(start))
        found = torch.compiler.scan(torch.compile(function), xs, batch_size=2)
        assert found.tolist() == wanted
        assert xs.tolist() == after
    assert not taken


def test_the_loop_is_native_and_ends_at_ctrl_c():
    """Compiled by Numba: equal to single calls, and interrupted between two of them."""
    (one, mine), (other, theirs) = (steps.logistic("functional") for _ in range(2))
    one, other = torch.compile(one), torch.compile(other)
    x, y = data(784, 10)
    for shuffle in (False, True):
        torch.manual_seed(2)
        found = torch.compiler.scan(one, (x, y), 0.25, batch_size=16, shuffle=shuffle)
        torch.manual_seed(2)
        wanted = by_hand(other, DataLoader(TensorDataset(x, y), 16, shuffle), (0.25,))
        assert found.tolist() == wanted.tolist()
        assert state(mine) == state(theirs)
    weights = next(iter(mine.values()))
    before, told = weights._version, [0]

    def progress(steps, losses):
        if len(told) == 1:
            threading.Timer(0.02, signal.raise_signal, [signal.SIGINT]).start()
        told.append(steps)

    order = torch.arange(48).repeat(200_000)
    with pytest.raises(KeyboardInterrupt):
        torch.compiler.scan(one, (x, y), 0.0, batch_size=16, sampler=order, progress=progress)
    assert 0 < told[-1] < len(order) // 16
    assert weights._version - before == told[-1] * before // 8


def test_an_interrupt_that_is_lost_while_something_is_compiled_comes_after(monkeypatch):
    """LLVM goes on whatever Python raises that it calls back."""
    from tinygrad_mnist.kernels import compiling

    def lost(*given):
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return given

    monkeypatch.setattr(compiling, "code_for", lost)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        native.compiled_or_loaded("never", [np.ones(2)], "a stamp that is like no other", lost)
    assert signal.getsignal(signal.SIGINT) is before


class Told(train.Callback):
    """Sees each step or, where it waits, groups of them."""

    def __init__(self, pause, stop=None):
        self.pause, self.stop, self.rows = pause, stop, []

    def wait(self, steps):
        return self.pause

    def step(self, rows, loss):
        self.rows.append(rows)
        if rows == self.stop:
            raise KeyboardInterrupt


@pytest.mark.parametrize("stop", [None, 192])
def test_a_compiled_training_run_is_the_same_whoever_looks(stop, taken):
    parts = [synthetic.draw(200), synthetic.draw(20, seed=1), synthetic.draw(20, seed=2)]
    digits = from_pixels(parts, "synthetic", "a few").map(torch.from_numpy)
    settings = train.Settings(lr=0.1, batch_size=64, shuffle=True, compile=True)
    found = []
    for pause in (1, 10**9):
        run = train.Run(settings)
        watch = Told(pause, stop)
        result = run.train(digits, watch)
        rows = [epoch.train_loss for epoch in result.history]
        found.append((run.losses, rows, result.interrupted, state(run.job.parameters), run.rows))
    assert found[0] == found[1]
    assert found[0][2] is (stop is not None)
    assert watch.rows[-1] == (stop or 256)


@pytest.mark.parametrize("order", [
    {"batch_size": 4}, {}, {"batch_size": 3, "sampler": list(range(8))},
    {"batch_size": 3, "shuffle": True},
])  # fmt: skip
def test_random_numbers_are_those_of_a_step_that_is_not_compiled(order):
    def step(x):
        return (x + torch.rand(())).sum()

    found = []
    for function in (step, torch.compile(step)):
        torch.manual_seed(0)
        results = torch.compiler.scan(function, (torch.arange(8.0),), **order)
        found.append([*results.tolist(), torch.rand(()).item()])
    assert found[0] == found[1]
