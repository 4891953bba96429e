"""no_grad and its kin: as blocks, as decorators, on generators, nested, after errors, by thread."""

import threading

import pytest
import torch as pytorch

import tinygrad_mnist as torch
from tests._tensor.both_engines import agree

MODES = [
    "torch.no_grad",
    "torch.enable_grad",
    "torch.inference_mode",
    "lambda: torch.set_grad_enabled(False)",
    "lambda: torch.set_grad_enabled(True)",
    "lambda: torch.inference_mode(False)",
]

PROGRAMS = {
    "a block": """
        with mode():
            inside = torch.is_grad_enabled(), (x * 2).requires_grad
        inside, torch.is_grad_enabled()
    """,
    "multithreading": """
        with torch.autograd.set_multithreading_enabled(False):
            inside = torch.autograd.is_multithreading_enabled()
        inside, torch.autograd.is_multithreading_enabled()
    """,
    "inference": """
        @mode()
        def decorated():
            return torch.is_inference_mode_enabled()
        with mode():
            inside = torch.is_inference_mode_enabled()
            with torch.no_grad(), torch.inference_mode(False):
                deeper = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
        inside, deeper, decorated(), torch.is_inference_mode_enabled()
    """,
    "nested": """
        with torch.no_grad():
            with mode():
                inside = torch.is_grad_enabled()
            between = torch.is_grad_enabled()
        inside, between, torch.is_grad_enabled()
    """,
    "one object, twice": """
        block = mode()
        with block:
            first = torch.is_grad_enabled()
        with block:
            second = torch.is_grad_enabled()
        first, second, torch.is_grad_enabled()
    """,
    "an error inside": """
        try:
            with mode():
                raise KeyError
        except KeyError:
            pass
        torch.is_grad_enabled()
    """,
    "a decorator": """
        @mode()
        def f(a, *, b):
            "What f does."
            return torch.is_grad_enabled(), a, b
        f(1, b=2), f.__name__, f.__doc__, torch.is_grad_enabled()
    """,
    "a decorated method": """
        class A:
            @mode()
            def f(self):
                return torch.is_grad_enabled()
        A().f(), torch.is_grad_enabled()
    """,
    "a decorated function that raises": """
        @mode()
        def f():
            raise KeyError
        try:
            f()
        except KeyError:
            pass
        torch.is_grad_enabled()
    """,
    "a generator": """
        @mode()
        def f():
            try:
                received = yield torch.is_grad_enabled()
                received = yield received, torch.is_grad_enabled()
            except KeyError:
                yield "caught", torch.is_grad_enabled()
            return "the end"
        g = f()
        found = [next(g), torch.is_grad_enabled(), g.send(5), torch.is_grad_enabled()]
        found.append(g.throw(KeyError))
        try:
            next(g)
        except StopIteration as end:
            found.append(end.value)
        found, torch.is_grad_enabled()
    """,
    "a generator, closed": """
        closed = []
        @mode()
        def f():
            try:
                yield 1
            finally:
                closed.append(torch.is_grad_enabled())
        g = f()
        next(g)
        g.close()
        closed, torch.is_grad_enabled()
    """,
    "what is made inside": """
        with mode():
            y = x * 2
            z = torch.ones(2, requires_grad=True)
        y.requires_grad, z.requires_grad, z.is_leaf
    """,
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_modes(program, mode):
    agree(f"mode = {mode}\nx = torch.ones(2, requires_grad=True)\n" + _dedented(program))


def _dedented(program):
    return "\n".join(line[8:] for line in program.splitlines())


@pytest.mark.parametrize("mode", ["no_grad", "enable_grad", "inference_mode"])
def test_decorators_without_parentheses(mode):
    agree(f"""
        @torch.{mode}
        def f():
            return torch.is_grad_enabled()
        f(), f.__name__, torch.is_grad_enabled()
    """)
    agree(f"torch.{mode}(lambda: torch.is_grad_enabled())()")


def test_set_grad_enabled_acts_at_once():
    agree("""
        torch.set_grad_enabled(False)
        first = torch.is_grad_enabled()
        torch.set_grad_enabled(True)
        first, torch.is_grad_enabled()
    """)
    agree("""
        with torch.set_grad_enabled(False):
            torch.set_grad_enabled(True)
            inside = torch.is_grad_enabled()
        inside, torch.is_grad_enabled()
    """)


@pytest.mark.parametrize("given", ["'a'", "1", "None"])
def test_set_grad_enabled_takes_a_bool(given):
    agree(f"torch.set_grad_enabled({given})")


def test_decorating_a_class_is_deprecated():
    agree(
        """
        @torch.no_grad()
        class A:
            def __init__(self):
                self.mode = torch.is_grad_enabled()
        A().mode
        """,
        warned=True,
    )


def test_each_thread_has_a_mode_of_its_own():
    inside = threading.Event()
    done = threading.Event()
    found = []

    def other():
        found.append(torch.is_grad_enabled())
        with torch.no_grad():
            inside.set()
            done.wait(10)
            found.append(torch.is_grad_enabled())
        found.append(torch.is_grad_enabled())

    thread = threading.Thread(target=other)
    with torch.no_grad():
        thread.start()
    assert inside.wait(10)
    assert torch.is_grad_enabled()
    done.set()
    thread.join()
    assert found == [True, False, True]


MADE = (
    lambda m, x: x.exp(), lambda m, x: x + 1, lambda m, x: 1 - x, lambda m, x: x.sum(),
    lambda m, x: m.where(x > 0, x, x), lambda m, x: m.cat([x, x]), lambda m, x: x.view(3, 1),
    lambda m, x: x[1:], lambda m, x: x.clone(), lambda m, x: x.double(), lambda m, x: m.zeros(2),
    lambda m, x: m.rand(2), lambda m, x: x.sort()[1], lambda m, x: m.nn.functional.softmax(x, 0),
    lambda m, x: m.lerp(x, x, 0.5), lambda m, x: x.cumsum(0), lambda m, x: x.tolist() and x.long(),
    lambda m, x: m.dot(x, x), lambda m, x: m.outer(x, x).tril(), lambda m, x: x.clamp(0, 1),
    lambda m, x: m.tensor([1.0]), lambda m, x: x.relu_(), lambda m, x: x.max(0)[0],
)  # fmt: skip


@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("make", MADE)
def test_whatever_is_made_in_inference_mode_says_so(make, outside):
    found = []
    for module in (torch, pytorch):
        given = module.ones(3)
        with module.inference_mode():
            made = make(module, given if outside else module.ones(3))
            found.append(made.is_inference())
    assert found[0] is found[1]
