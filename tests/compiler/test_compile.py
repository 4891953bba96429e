"""What `compile` promises besides speed: nothing frozen, nothing hidden, errors with a line."""

import gc
import subprocess
import sys
import threading
import warnings
import weakref

import numpy as np
import pytest

import tinygrad_mnist as torch
from tests.compiler import steps
from tinygrad_mnist import nn
from tinygrad_mnist.compiler import TraceError
from tinygrad_mnist.nn import functional as F

pytestmark = pytest.mark.usefixtures("plain")


def test_a_learning_rate_is_followed(traces):
    function, found = steps.logistic("functional")
    eager, wanted = steps.logistic("functional")
    step = torch.compile(function)
    x, y = torch.rand(16, 784), torch.randint(0, 10, (16,))
    for lr in np.linspace(0.1, 0.5, 8).tolist():
        assert step(x, y, lr).item() == pytest.approx(eager(x, y, lr).item())
    np.testing.assert_allclose(found["weights"].detach(), wanted["weights"].detach(), atol=1e-6)
    assert len(traces) < 5


def scheduled():
    torch.manual_seed(0)
    model = nn.Linear(12, 5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=30)

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step, schedule, optimizer


def test_a_schedule_of_rate_and_momentum_is_followed(traces):
    function, schedule, optimizer = scheduled()
    eager, other, _ = scheduled()
    step = torch.compile(function)
    x, y = torch.rand(16, 12), torch.randint(0, 5, (16,))
    for _ in range(12):
        assert step(x, y).item() == pytest.approx(eager(x, y).item(), rel=1e-5)
        schedule.step()
        other.step()
    assert len(traces) < 5
    assert type(optimizer.param_groups[0]["lr"]) is float


def test_a_number_that_python_computes_with_is_traced_again():
    @torch.compile
    def scaled(x, factor):
        return x * int(factor * 10)

    for factor in (0.1, 0.2, 0.7, 1.2):
        assert scaled(torch.ones(1), factor).item() == int(factor * 10)


def test_a_branch_on_a_number_is_taken_anew():
    @torch.compile
    def clipped(x, limit):
        return x * limit if limit < 0.5 else x

    for limit in (0.1, 0.2, 0.3, 0.6, 0.7, 0.4):
        assert clipped(torch.ones(1), limit).item() == pytest.approx(limit if limit < 0.5 else 1)


@pytest.mark.parametrize("where", ["closure", "module", "container"])
def test_numbers_from_elsewhere_are_read_live(where):
    factor = 2.0
    module = nn.Module()
    module.factor = 2.0
    settings = {"factor": 2.0}

    @torch.compile
    def scaled(x):
        found = {"closure": factor, "module": module.factor, "container": settings["factor"]}
        return x * found[where]

    assert scaled(torch.ones(1)).item() == 2
    factor = module.factor = settings["factor"] = 3.0
    assert scaled(torch.ones(1)).item() == 3


def test_a_tensor_of_the_closure_is_read_anew_and_one_that_no_guard_finds_declared(traces):
    shift, known = torch.ones(3), (torch.ones(3),)

    @torch.compile
    def shifted(x):
        return x + shift + (lambda: known)()[0]

    for n in range(3):
        assert shifted(torch.ones(3)).tolist() == [3 + n] * 3
        shift += 1
    assert len(traces) == 1
    hidden = weakref.WeakValueDictionary(tensor=shift)
    found = torch.compile(lambda x: x + hidden["tensor"], constants=[shift])
    assert [found(x * torch.ones(1)).tolist() for x in (1, 2)] == [[5] * 3, [6] * 3]
    shift = torch.zeros(3)
    assert shifted(torch.ones(3)).tolist() == [2, 2, 2]


READERS = [
    lambda x: x.item(), float, int, bool, lambda x: x.tolist(), lambda x: x.numpy(),
    lambda x: 1 if x > 0 else 2,
]  # fmt: skip


@pytest.mark.parametrize("read", READERS)
def test_what_reads_a_value_runs_uncompiled_and_the_line_is_named(read):
    line = r"read by Python.*torch\.where.*test_compile\.py"
    changed = torch.zeros(1)
    function = lambda x: (changed.add_(1), read(x * 2))[1]  # noqa: E731
    with pytest.raises(TraceError, match=line):
        torch.compile(function, fullgraph=True)(torch.tensor(1.0))
    assert changed.item() == 0
    step = torch.compile(function)
    with pytest.warns(UserWarning, match=line):
        found = [step(torch.tensor(1.0))]
    found += [step(torch.tensor(n)) for n in (1.0, -1.0)]
    assert found == [read(2 * torch.tensor(n)) for n in (1.0, 1.0, -1.0)]
    assert changed.item() == 3


def test_random_numbers_are_drawn_anew():
    layer = nn.Dropout(0.5)
    drop = torch.compile(lambda x: layer(x) * 2)
    torch.manual_seed(0)
    found = [drop(torch.ones(20)).tolist() for _ in range(4)]
    torch.manual_seed(0)
    assert found == [(layer(torch.ones(20)) * 2).tolist() for _ in range(4)]
    layer.eval()
    assert drop(torch.ones(20)).tolist() == [2] * 20


def test_results_are_not_overwritten_by_the_next_call():
    double = torch.compile(lambda x: (x * 2, x))
    first, same = double(given := torch.ones(3))
    first, same = double(given)
    second, _ = double(5 * torch.ones(3))
    assert same is given
    assert first.tolist() == [2, 2, 2]
    assert second.tolist() == [10, 10, 10]


def test_the_same_tensor_given_twice():
    def changed(x, y):
        x.add_(1)
        return x + y

    step = torch.compile(changed)
    both = torch.zeros(2)
    assert [step(both, both).tolist() for _ in range(3)] == [[2, 2], [4, 4], [6, 6]]
    assert both.tolist() == [3, 3]
    apart = torch.zeros(2)
    assert [step(apart, torch.ones(2)).tolist() for _ in range(3)] == [[2, 2], [3, 3], [4, 4]]


def test_changes_in_place_are_seen_in_views():
    def changed(x):
        row = x[0]
        x.mul_(2)
        return row + 1

    step = torch.compile(changed)
    x = torch.ones(2, 2)
    assert [step(x).tolist() for _ in range(3)] == [[3, 3], [5, 5], [9, 9]]
    assert x.tolist() == [[8, 8], [8, 8]]


def test_gradients_gather_and_go():
    def make():
        w = torch.ones(3, requires_grad=True)

        def step(x, clear):
            if clear:
                w.grad = None
            (w * x).sum().backward()

        return step, w

    (eager, wanted), (function, found) = make(), make()
    step = torch.compile(function)
    kept = []
    for n, clear in enumerate((False, False, True, False, False, True, True, False, False)):
        for call, w in ((eager, wanted), (step, found)):
            call(torch.ones(3) * n, clear)
            kept.append(w.grad)
        assert wanted.grad.tolist() == found.grad.tolist()
    identities = [[g is kept[i] for g in kept[i + 2 :: 2]] for i in (0, 1)]
    assert identities[0] == identities[1]


def test_another_shape_type_or_mode_is_traced_anew(traces):
    step = torch.compile(lambda x: x * 2)
    for x in (torch.ones(3), torch.ones(4), torch.ones(3, dtype=torch.float64), torch.ones(3)):
        assert step(x).dtype == x.dtype
        assert step(x).shape == x.shape
    assert len(traces) == 3
    with torch.no_grad():
        step(torch.ones(3))
    assert len(traces) == 4


def test_gradients_may_be_asked_for_after_the_call():
    w = torch.ones(3, requires_grad=True)
    forward = torch.compile(lambda x: (w * x).sum())
    loss = forward(torch.ones(3))
    forward(2 * torch.ones(3)).backward()
    loss.backward()
    assert w.grad.tolist() == [3, 3, 3]


def by_hand(optimizer, _):
    optimizer.param_groups[0]["lr"] *= 0.5


@pytest.mark.parametrize("lower", [by_hand, lambda _, schedule: schedule.step()])
def test_a_learning_rate_that_the_function_itself_lowers_is_lowered_each_time(lower):
    w = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)

    @torch.compile
    def step():
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()
        lower(optimizer, schedule)

    with pytest.warns(UserWarning, match="runs uncompiled: .* steps a schedule"):
        step()
    step()
    assert type(optimizer.param_groups[0]["lr"]) is float
    assert optimizer.param_groups[0]["lr"] == 0.25
    assert w.item() == -0.5


def test_a_result_knows_that_its_graph_is_spent():
    w = torch.ones(3, requires_grad=True)

    @torch.compile
    def step(x):
        loss = (w * x).sum()
        loss.backward()
        return loss

    for _ in range(2):
        loss = step(torch.ones(3))
        assert repr(loss) == "tensor(3., grad_fn=<SumBackward0>)"
        with pytest.raises(RuntimeError, match="backward through the graph a second time"):
            loss.backward()


def test_labels_out_of_range_raise_as_ever():
    step = torch.compile(lambda x, y: F.cross_entropy(x, y))
    x = torch.zeros(2, 3)
    for _ in range(2):
        step(x, torch.tensor([0, 1]))
    with pytest.raises(IndexError, match=r"Target 3 is out of bounds\."):
        step(x, torch.tensor([0, 3]))
    ignored = step(x, torch.tensor([0, -100]))
    assert ignored.item() == pytest.approx(np.log(3))


def test_a_module_becomes_a_module():
    model = nn.Linear(3, 2)
    optimised = torch.compile(model)
    assert [*optimised.state_dict()] == ["_orig_mod.weight", "_orig_mod.bias"]
    with torch.no_grad():
        for _ in range(2):
            assert torch.equal(optimised(torch.ones(4, 3)), model(torch.ones(4, 3)))


def test_check_raises_where_something_unseen_changes():
    before = gc.get_threshold()
    step = torch.compile(lambda x: x + torch.tensor([gc.get_threshold()[0]]), check=True)
    step(torch.ones(1))
    step(torch.ones(1))
    try:
        gc.set_threshold(before[0] + 1)
        with pytest.raises(RuntimeError, match="a constant of the program changed"):
            step(torch.ones(1))
    finally:
        gc.set_threshold(*before)


def test_check_follows_what_is_watched():
    function, _, _ = scheduled()
    step = torch.compile(function, check=True)
    for _ in range(4):
        step(torch.rand(16, 12), torch.randint(0, 5, (16,)))


def test_the_default_type_is_watched():
    step = torch.compile(lambda x: torch.zeros(2) + torch.tensor(1.5) * x)
    x = torch.ones(2, dtype=torch.int64)
    assert step(x).dtype is torch.float32
    torch.set_default_dtype(torch.float64)
    try:
        assert step(x).dtype is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert step(x).dtype is torch.float32


def test_a_generator_of_its_own_goes_on_as_ever():
    def make():
        generator = torch.Generator().manual_seed(3)
        return lambda x: x + torch.rand(2, generator=generator)

    eager, step = make(), torch.compile(make())
    with pytest.warns(UserWarning, match=r"a generator of their own.*test_compile\.py"):
        assert torch.equal(step(torch.ones(2)), eager(torch.ones(2)))
    assert torch.equal(step(torch.ones(2)), eager(torch.ones(2)))


def test_what_cannot_be_compiled_is_replayed():
    step = torch.compile(lambda x: torch.linalg.norm(x.sort().values[:3]))
    with pytest.warns(UserWarning, match="the operation argsort cannot be compiled"):
        step(torch.ones(5))
    x = torch.rand(5)
    assert step(x).item() == pytest.approx(torch.linalg.norm(x.sort().values[:3]).item())


def test_threads_run_one_program():
    step = torch.compile(lambda x: (x * 2).sum())
    step(torch.ones(100))
    found = {}

    def work(n):
        found[n] = [step(torch.ones(100) * n).item() for _ in range(50)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: [200.0 * n] * 50 for n in range(4)}


def test_parameters_that_change_kind_are_seen(monkeypatch):
    monkeypatch.setattr(torch.compiler.config, "recompile_limit", 20)

    def make():
        model = nn.Linear(3, 2)
        model.load_state_dict({"weight": torch.ones(2, 3), "bias": torch.zeros(2)})

        def step(x):
            loss = model(x).sum()
            if loss.requires_grad:
                loss.backward()
            return loss.detach()

        return step, model

    (eager, wanted), (function, found) = make(), make()
    step = torch.compile(function)
    changes = [
        lambda m: None,
        lambda m: m.bias.requires_grad_(False),
        lambda m: setattr(m.weight, "data", torch.ones(3, 2).T),
        lambda m: setattr(m, "weight", nn.Parameter(2 * torch.ones(2, 3))),
        lambda m: setattr(m, "bias", nn.Parameter(torch.ones(1))),
        lambda m: m.zero_grad(),
        lambda m: m.requires_grad_(False),
        lambda m: m.weight.requires_grad_(True),
        lambda m: m.requires_grad_(True),
    ]
    for change in changes:
        change(wanted)
        change(found)
        for _ in range(3):
            assert step(torch.ones(5, 3)).item() == eager(torch.ones(5, 3)).item()
        for ours, theirs in zip(found.parameters(), wanted.parameters(), strict=True):
            assert (ours.grad is None) == (theirs.grad is None)
            assert ours.grad is None or torch.equal(ours.grad, theirs.grad)


def test_arguments_that_overlap_what_is_written():
    def changed(x, y):
        x.add_(1)
        return x + y

    step, said = torch.compile(changed), []
    for memory in (torch.arange(6.0), torch.arange(6.0)):
        apart = memory.clone(), memory.clone()
        for _ in range(2):
            step(apart[0], apart[1])
        x, y = memory[:3], memory[1:4]
        expected = memory.clone()
        changed(expected[:3], expected[1:4])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            step(x, y)
        said += [str(each.message) for each in caught]
        assert torch.equal(memory, expected)
    assert "shares memory with another" in said[0]
    assert len(said) == 1


def test_numbers_drawn_for_nobody_are_drawn_all_the_same():
    def step(x):
        torch.rand(3)
        first, second = torch.rand(2), torch.rand(2)
        return second * x, first

    compiled_step = torch.compile(step)
    torch.manual_seed(0)
    found = [[t.tolist() for t in compiled_step(torch.ones(2))] for _ in range(3)]
    torch.manual_seed(0)
    assert found == [[t.tolist() for t in step(torch.ones(2))] for _ in range(3)]


def test_tensors_that_do_not_lie_in_one_piece(traces):
    total = torch.compile(lambda x: (x * 2).sum(0))
    for x in (torch.rand(4, 3).T, torch.rand(4, 3).T, torch.rand(3, 8)[:, ::2]):
        np.testing.assert_allclose(total(x), (x * 2).sum(0), rtol=1e-6)
    assert len(traces) == 1
    change = torch.compile(lambda x: x.add_(1))
    x = torch.zeros(4, 3).T
    with pytest.warns(UserWarning, match=r"give it tensor\.contiguous\(\)"):
        change(x)
    change(x)
    assert x.tolist() == [[2.0] * 4] * 3


def test_threads_are_limited_in_the_blas_of_compiled_code_too():
    program = (
        "import tinygrad_mnist as t; t.set_num_threads(1); "
        "t.compile(lambda x: x @ x)(t.ones(9, 9)); "
        "from threadpoolctl import threadpool_info; "
        "assert {p['num_threads'] for p in threadpool_info() if p['user_api'] == 'blas'} == {1}"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_floats_in_containers_and_arrays_are_not_frozen():
    step = torch.compile(lambda x, factors: x * factors[0])
    assert [step(torch.ones(1), (f,)).item() for f in (2.0, 3.0, 2.0)] == [2, 3, 2]
    assert [step(torch.ones(1), {0: f}).item() for f in (2.0, 3.0)] == [2, 3]
    values = np.ones(2, np.float32)
    for make in (torch.from_numpy, torch.tensor, torch.as_tensor):
        step = torch.compile(lambda x, make=make, values=values: x + make(values))
        with pytest.warns(UserWarning, match="may change unseen"):
            step(torch.ones(2))
        values += 1
        assert torch.equal(step(torch.ones(2)), torch.from_numpy(values + 1))


def test_memory_that_another_parameter_takes_over_is_looked_at():
    w = torch.ones(2000, requires_grad=True)

    @torch.compile
    def total():
        return w.detach().sum()

    for size in (2000, 2000, 10, 2000, 10, 10):
        w.data = torch.ones(size)
        assert total().item() == size


@pytest.mark.filterwarnings("ignore:compile")
def test_what_runs_uncompiled_says_why_there_is_no_program():
    compiled = torch.compile(lambda x: x * x.item())
    with pytest.raises(RuntimeError, match="call the function once"):
        _ = compiled.stats
    compiled(torch.tensor(2.0))
    with pytest.raises(RuntimeError, match="nothing is compiled yet: the function runs uncompiled"):
        _ = compiled.source
