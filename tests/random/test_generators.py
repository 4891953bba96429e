"""Generators as objects, and what random operations leave behind: states, records, versions."""

import contextlib
import copy
import pickle
import threading
import warnings

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

import tinygrad_mnist as ours
from tinygrad_mnist import random
from tinygrad_mnist.engine.observer import observe


def numbers(generator, count=3):
    return random.rand(count, generator=generator).tolist()


def as_torch(tensor):
    return torch.from_numpy(tensor.numpy().copy())


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))]
)
def test_copies_go_on_alone(copied):
    generator = random.Generator().manual_seed(8)
    random.randn(3, generator=generator)
    twin = copied(generator)
    assert twin is not generator
    assert twin.initial_seed() == 8
    expected = numbers(generator)
    assert numbers(twin) == expected
    assert numbers(generator) != expected


def test_a_clone_goes_on_alone():
    generator = random.Generator().manual_seed(8)
    clone = generator.clone_state()
    expected = numbers(generator)
    assert numbers(clone) == expected


def test_states_are_exchanged_with_pytorch():
    random.manual_seed(11)
    random.randn(5)
    torch.set_rng_state(as_torch(random.get_rng_state()))
    assert torch.randn(3).tolist() == random.randn(3).tolist()
    torch.randn(1)
    random.set_rng_state(ours.from_numpy(torch.get_rng_state().numpy().copy()))
    assert torch.randn(40).tolist() == random.randn(40).tolist()


def test_the_state_is_a_snapshot():
    state = random.get_rng_state()
    before = state.tolist()
    random.rand(1000)
    assert state.tolist() == before


def test_seed_is_new_each_time_and_repeats():
    seed = random.seed()
    first = random.rand(3).tolist()
    assert random.initial_seed() == seed
    assert random.seed() != seed
    random.manual_seed(seed)
    assert random.rand(3).tolist() == first


def test_manual_seed_serves_every_call_without_a_generator():
    assert random.manual_seed(4) is random.default_generator
    first = random.rand(3).tolist()
    assert first == numbers(random.Generator().manual_seed(4))
    other = random.Generator().manual_seed(5)
    random.manual_seed(4)
    numbers(other)
    assert random.rand(3).tolist() == first


def test_fork_rng_restores():
    random.manual_seed(1)
    with random.fork_rng():
        random.manual_seed(2)
    assert random.initial_seed() == 1
    with contextlib.suppress(KeyError), random.fork_rng(devices=[]):
        random.manual_seed(2)
        raise KeyError
    assert random.initial_seed() == 1
    with random.fork_rng(enabled=False):
        random.manual_seed(2)
    assert random.initial_seed() == 2

    @random.fork_rng()
    def reseed():
        random.manual_seed(3)

    reseed()
    assert random.initial_seed() == 2
    with pytest.raises(AssertionError), random.fork_rng(devices=[0]):
        pass


def test_threads_share_a_stream_without_losing_or_repeating_numbers():
    generator = random.Generator().manual_seed(0)
    drawn = []

    def draw():
        for _ in range(200):
            drawn.append(tuple(random.rand(7, dtype=ours.float64, generator=generator).tolist()))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = random.rand(4 * 200, 7, dtype=ours.float64, generator=random.Generator().manual_seed(0))
    assert sorted(drawn) == sorted(map(tuple, whole.tolist()))


FILLERS = {
    "uniform_": (),
    "normal_": (),
    "log_normal_": (),
    "exponential_": (),
    "cauchy_": (),
    "geometric_": (0.5,),
    "bernoulli_": (0.5,),
    "random_": (),
}


@pytest.mark.parametrize("name", FILLERS)
def test_no_gradient_passes_a_fill(name):
    def gradient(module):
        leaf = module.ones(3, requires_grad=True)
        x = leaf * 2
        before = x._version
        assert getattr(x, name)(*FILLERS[name]) is x
        (x * 3).sum().backward()
        return leaf.grad.tolist(), type(x.grad_fn).__name__, x._version - before

    assert gradient(ours) == gradient(torch) == ([0, 0, 0], gradient(torch)[1], 1)


@pytest.mark.parametrize("name", FILLERS)
def test_a_fill_spoils_what_backward_needs(name):
    def message(module):
        x = module.ones(3, requires_grad=True) * 1
        y = x * x
        getattr(x, name)(*FILLERS[name])
        with pytest.raises(RuntimeError) as caught:
            y.sum().backward()
        return str(caught.value)

    assert "modified by an inplace operation" in message(torch)
    assert "modified by an inplace operation" in message(ours)


def test_drawn_tensors_send_no_gradient_to_their_parameters():
    def gradients(module):
        mean = module.zeros(3, requires_grad=True)
        std = module.ones(1, requires_grad=True)
        chance = module.full((3,), 0.5, requires_grad=True)
        drawn = (module.normal(mean, std), module.normal(mean, 2.0), module.normal(1.0, std))
        total = sum(drawn) + module.bernoulli(chance)
        total.sum().backward()
        return [leaf.grad.tolist() for leaf in (mean, std, chance)]

    assert gradients(ours) == gradients(torch)


def test_observers_hear_of_every_draw_and_can_repeat_it():
    target, weights = ours.zeros(4), ours.ones(5)
    generator = random.Generator().manual_seed(9)
    heard = []
    with observe(lambda op, inputs, attributes, output: heard.append((op, attributes, output))):
        random.rand(3, generator=generator)
        random.randint(5, (2, 2), generator=generator)
        random.randperm(6, generator=generator)
        target.normal_(generator=generator)
        random.bernoulli(random.rand_like(target, generator=generator), generator=generator)
        random.multinomial(weights, 2, generator=generator)
    names = [op.name for op, _, _ in heard]
    assert names[:5] == ["uniform", "random_from_to", "randperm", "normal", "uniform"]
    assert len(names) == 7
    generator.manual_seed(9)
    for op, attributes, output in heard[:5]:
        repeated = op.body(**attributes)
        assert repeated.dtype == output.numpy().dtype
        np.testing.assert_array_equal(repeated, output.numpy())


powers = st.tuples(st.sampled_from([-1, 1]), st.integers(20, 63), st.integers(-3, 3))
bounds = st.one_of(
    st.integers(-300, 300),
    st.integers(-(2**63), 2**63 - 1),
    powers.map(lambda p: min(max(p[0] * 2 ** p[1] + p[2], -(2**63)), 2**63 - 1)),
)


@given(
    bounds,
    st.one_of(st.none(), bounds),
    st.sampled_from(["float32", "float64", "int64", "int32", "uint8", "bool"]),
)
@example(2**62, 2**63 - 1, "float32")
@example(16777217, 16777218, "float32")
@example(-(2**63), None, "float64")
def test_random_between_any_bounds(low, high, dtype):
    def outcome(module):
        generator = module.Generator().manual_seed(0)
        x = module.empty(4, dtype=getattr(module, dtype))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return x.random_(low, high, generator=generator).tolist()
            except RuntimeError as error:
                return str(error).split("\n")[0]

    assert outcome(ours) == outcome(torch)


def test_importing_the_package_does_not_import_numpys_generators():
    import subprocess
    import sys

    code = "import tinygrad_mnist.random, sys; print('numpy.random' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
