"""Random programs, run on both engines and held against each other after every step.

Hypothesis builds a program step by step: it creates tensors, combines them, takes views, switches
recording off, changes memory, registers hooks, goes backward in every way. After each step every
tensor of the program must be the same on both engines in all that can be observed: its numbers,
whether it requires a gradient, its gradient, its version, the name of its record; and where one
engine raises, the other must too.

Not tried, since the engines differ there by design: `detach_` of a tensor whose gradient is
retained. PyTorch goes on to add to its `.grad` what arrives at the record that it has left.

`RANDOM_PROGRAMS=2000 pytest tests/programs` runs that many programs, new ones each time.
"""

import os

import numpy as np
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

import tinygrad_mnist
from tests.tools.programs.pairs import (
    ENGINES,
    Pair,
    attempt,
    check_errors,
    check_numbers,
    check_pair,
    check_same,
)
from tests.tools.programs.steps import (
    BINARY,
    HOOKS,
    IN_PLACE,
    IN_PLACE_ALONE,
    MODES,
    SEVERAL,
    UNARY,
)
from tinygrad_mnist.tools.parity import strategies as tensors_like

PLACES = ("tensor", "leaf", "record")
"""Where hooks are registered."""
LARGEST = 1e4
"""Larger numbers end a path: rounding would drown what is compared."""


def names(table):
    return st.sampled_from(sorted(table))


class RandomProgram(RuleBasedStateMachine):
    """A program in the making."""

    tensors = Bundle("tensors")

    def __init__(self):
        super().__init__()
        self.pairs = []
        self.calls = ([], [])

    def both(self, step, *inputs):
        """Run `step(engine, *tensors)` on both; the pairs it gives, or None where it raises."""

        def run(engine):
            return step(engine, *[pair.on(engine) for pair in inputs])

        ours, our_error = attempt(run, tinygrad_mnist)
        theirs, their_error = attempt(run, torch)
        if our_error is not None and any(p.history_lost for p in inputs):
            our_error = their_error  # PyTorch tells of it before it looks at arguments
        if check_errors(our_error, their_error):
            return None
        mine = ours if isinstance(ours, tuple) else (ours,)
        other = theirs if isinstance(theirs, tuple) else (theirs,)
        check_same("number of results", len(mine), len(other))
        return [self.paired(a, b) for a, b in zip(mine, other, strict=True)]

    def paired(self, ours, theirs):
        check_same("result is a tensor", isinstance(ours, tinygrad_mnist.Tensor),
                   isinstance(theirs, torch.Tensor))  # fmt: skip
        if theirs is None or not isinstance(theirs, torch.Tensor):
            return None
        for pair in self.pairs:
            if pair.theirs is theirs:
                check_same("result is an input", ours is pair.ours, True)
                return pair
        pair = Pair(f"t{len(self.pairs)}", ours, theirs)
        self.pairs.append(pair)
        return pair

    def kept(self, results):
        """What of the results goes on in the program."""
        found = [p for p in results or () if p is not None and p.magnitude() < LARGEST]
        return multiple(*found)

    @invariant()
    def everything_is_the_same(self):
        for pair in self.pairs:
            check_pair(pair)
        check_same("calls of hooks", len(self.calls[0]), len(self.calls[1]))
        for (name, gradient), (other, expected) in zip(*map(sorted_calls, self.calls), strict=True):
            check_same("a hook's tensor", name, other)
            check_numbers(f"what the hook of {name} saw", gradient, expected)
        check_same("is_grad_enabled()", *[engine.is_grad_enabled() for engine in ENGINES])

    @rule(target=tensors, shape=tensors_like.shapes(max_side=3), seed=tensors_like.seeds(),
          requires_grad=st.booleans())  # fmt: skip
    def create(self, shape, seed, requires_grad):
        array = np.random.default_rng(seed).normal(size=shape).round(2)
        (pair,) = self.both(lambda engine: engine.tensor(array, requires_grad=requires_grad))
        return pair

    @rule(target=tensors, x=tensors, name=names(UNARY), mode=names(MODES))
    def compute(self, x, name, mode):
        def step(engine, tensor):
            with MODES[mode](engine):
                return UNARY[name](tensor)

        return self.kept(self.both(step, x))

    @rule(target=tensors, x=tensors, y=tensors, name=names(BINARY), mode=names(MODES))
    def combine(self, x, y, name, mode):
        def step(engine, left, right):
            with MODES[mode](engine):
                return BINARY[name](left, right)

        return self.kept(self.both(step, x, y))

    @rule(target=tensors, several=st.lists(tensors, min_size=1, max_size=3), stack=st.booleans())
    def join(self, several, stack):
        def step(engine, *tensors):
            return (engine.stack if stack else engine.cat)(tensors)

        return self.kept(self.both(step, *several))

    @rule(target=tensors, x=tensors, data=st.data())
    def view(self, x, data):
        view = data.draw(tensors_like.views(x.shape))
        return self.kept(self.both(lambda engine, tensor: view(tensor), x))

    @rule(target=tensors, x=tensors, data=st.data())
    def index(self, x, data):
        key = data.draw(tensors_like.indices(x.shape))
        return self.kept(self.both(lambda engine, tensor: tensor[_key(engine, key)], x))

    @rule(target=tensors, x=tensors, name=names(SEVERAL))
    def take_apart(self, x, name):
        return self.kept(self.both(lambda engine, tensor: SEVERAL[name](tensor), x))

    @rule(x=tensors, y=tensors, name=names(IN_PLACE), mode=names(MODES))
    def change(self, x, y, name, mode):
        apart = apart_from(x, y)

        def step(engine, target, other):
            with MODES[mode](engine):
                return IN_PLACE[name](target, apart(other))

        self.both(step, x, y)

    @rule(x=tensors, name=names(IN_PLACE_ALONE), mode=names(MODES))
    def change_alone(self, x, name, mode):

        def step(engine, target):
            with MODES[mode](engine):
                return IN_PLACE_ALONE[name](target)

        self.both(step, x)

    @rule(x=tensors, data=st.data(), mode=names(MODES))
    def assign(self, x, data, mode):
        key = data.draw(tensors_like.indices(x.shape, arrays=False))
        value = data.draw(st.sampled_from([0.5, -1.0]))

        def step(engine, target):
            with MODES[mode](engine):
                target[key] = value

        self.both(step, x)

    @rule(x=tensors, y=tensors, data=st.data(), mode=names(MODES))
    def assign_tensor(self, x, y, data, mode):
        key = data.draw(tensors_like.indices(x.shape))

        apart = apart_from(x, y)

        def step(engine, target, value):
            with MODES[mode](engine):
                target[_key(engine, key)] = apart(value)

        self.both(step, x, y)

    @rule(x=tensors)
    def detach_in_place(self, x):
        if x.theirs.retains_grad:
            return
        self.both(lambda engine, tensor: tensor.detach_(), x)

    @rule(x=tensors, inputs=st.lists(tensors, min_size=1, max_size=3),
          retain_graph=st.sampled_from([None, True]))  # fmt: skip
    def backward_into(self, x, inputs, retain_graph):
        def step(engine, tensor, *wanted):
            tensor.backward(engine.ones_like(tensor), retain_graph=retain_graph, inputs=wanted)

        if self.both(step, x, *inputs) is None:
            self.forget_gradients()

    @rule(x=tensors, retain_graph=st.sampled_from([None, True, False]), given=st.booleans(),
          create_graph=st.booleans())  # fmt: skip
    def backward(self, x, retain_graph, given, create_graph):
        def step(engine, tensor):
            above = engine.ones_like(tensor) if given else None
            tensor.backward(above, retain_graph=retain_graph, create_graph=create_graph)

        if self.both(step, x) is None:
            self.forget_gradients()

    @rule(target=tensors, x=tensors, inputs=st.lists(tensors, min_size=1, max_size=3),
          allow_unused=st.booleans(), create_graph=st.booleans(),
          retain_graph=st.sampled_from([None, True]))  # fmt: skip
    def differentiate(self, x, inputs, allow_unused, create_graph, retain_graph):
        def step(engine, output, *wanted):
            found = engine.autograd.grad(
                output, wanted, engine.ones_like(output), allow_unused=allow_unused,
                create_graph=create_graph, retain_graph=retain_graph,
            )  # fmt: skip
            # PyTorch may return one tensor several times, or what came from above; we never do.
            return tuple(None if gradient is None else gradient.clone() for gradient in found)

        results = self.both(step, x, *inputs)
        if results is None:
            self.calls = ([], [])
        return self.kept(results)

    def forget_gradients(self):
        """After a failed walk: how far it went before it failed is nobody's promise."""
        self.calls = ([], [])
        for pair in self.pairs:
            for engine in ENGINES:
                attempt(lambda engine, pair=pair: setattr(pair.on(engine), "grad", None), engine)

    @rule(x=tensors, way=st.sampled_from(["None", "zero_", "ones"]))
    def set_gradient(self, x, way):
        def step(engine, tensor):
            if way == "zero_" and tensor.is_leaf and tensor.grad is not None:
                tensor.grad.zero_()
            else:
                tensor.grad = engine.ones_like(tensor) if way == "ones" else None

        self.both(step, x)

    @rule(x=tensors, name=names(HOOKS), where=st.sampled_from(PLACES))
    def hook(self, x, name, where):
        def step(engine, tensor):
            calls = self.calls[ENGINES.index(engine)]

            def called(gradient):
                calls.append((repr(x), None if gradient is None else gradient.detach().clone()))
                return None if gradient is None else HOOKS[name](gradient)

            def called_with_all(*gradients):
                return None if name == "look" else (called(gradients[-1][0]),)

            def called_with_leaf(leaf):
                calls.append((repr(x), leaf.grad.detach().clone()))

            if where == "tensor":
                return "handle", tensor.register_hook(called)
            if where == "leaf":
                return "handle", tensor.register_post_accumulate_grad_hook(called_with_leaf)
            return "handle", tensor.grad_fn.register_prehook(called_with_all)

        if x.history_lost:
            return  # of a lost history PyTorch tells at the first hook only
        outcomes = [attempt(lambda engine: step(engine, x.on(engine)), e) for e in ENGINES]
        if not check_errors(outcomes[0][1], outcomes[1][1]):
            x.hooks.append((outcomes[0][0][1], outcomes[1][0][1]))

    @rule(x=tensors)
    def remove_hook(self, x):
        if x.hooks:
            for handle in x.hooks.pop():
                handle.remove()

    @rule(x=tensors)
    def retain_gradient(self, x):
        self.both(lambda engine, tensor: tensor.retain_grad(), x)

    @rule(x=tensors, mode=st.booleans())
    def require_gradient(self, x, mode):
        self.both(lambda engine, tensor: tensor.requires_grad_(mode), x)


def apart_from(target, source):
    """How a step reads `source`, where PyTorch's rules for memory that overlaps are not the point.

    Whether it takes an overlap for whole depends on strides that nobody can see (of one element).
    """
    return lambda value: value.clone() if source.shares_memory(target) else value


def sorted_calls(calls):
    """Calls by tensor, in the order in which each tensor's came."""
    return sorted(calls, key=lambda call: call[0])


def _key(engine, key):
    """An index with its arrays as tensors of the engine."""
    if isinstance(key, tuple):
        return tuple(_key(engine, part) for part in key)
    return engine.from_numpy(key) if isinstance(key, np.ndarray) else key


TestRandomPrograms = RandomProgram.TestCase
asked = os.environ.get("RANDOM_PROGRAMS")
TestRandomPrograms.settings = settings(
    max_examples=int(asked) if asked else 60,
    derandomize=asked is None,
    stateful_step_count=25,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
