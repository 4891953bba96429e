"""gradcheck and gradgradcheck: what they accept and refuse is what PyTorch's accept and refuse."""

import inspect
import re

import numpy as np
import pytest
import torch

import tinygrad_mnist
from tinygrad_mnist.kernels import dispatch
from tinygrad_mnist.testing import GradcheckError, gradcheck, gradgradcheck

CHECKS = {
    "gradcheck": ((tinygrad_mnist, gradcheck), (torch, torch.autograd.gradcheck)),
    "gradgradcheck": ((tinygrad_mnist, gradgradcheck), (torch, torch.autograd.gradgradcheck)),
}
NUMBERS = [[0.3, -1.2, 2.0], [0.7, 0.1, -0.4]]


def leaf(engine, numbers=NUMBERS, dtype="float64"):
    return engine.tensor(numbers, dtype=getattr(engine, dtype), requires_grad=True)


def own_operation(engine, backward_of, forward_of=lambda x: x * x):
    """An operation of one's own: x², or another, with the backward formula given."""

    class Own(engine.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return forward_of(x)

        @staticmethod
        def backward(ctx, g):
            return backward_of(g, *ctx.saved_tensors)

    return Own.apply


def outcome(check, function, inputs, **options):
    """What a check comes to: True, False, or the class and the first words of its error."""
    try:
        return check(function, inputs, **options)
    except Exception as error:
        name = (
            "GradcheckError" if "GradcheckError" in type(error).__name__ else type(error).__name__
        )
        return name, re.split(r"[,\n]", str(error))[0]


RIGHT = {
    "product": lambda e: (lambda x: x * x.tanh(), leaf(e)),
    "matrix product": lambda e: (lambda x: x @ x.T, leaf(e)),
    "two inputs": lambda e: (lambda x, y: x / (1 + y * y), (leaf(e), leaf(e, NUMBERS[0]))),
    "several results": lambda e: (lambda x: (x.exp(), x.sum(0), x.detach()), leaf(e)),
    "an input that is not used": lambda e: (lambda x, y: x * 2, (leaf(e), leaf(e))),
    "an input that is no tensor": lambda e: (lambda x, n: x**n, (leaf(e), 3)),
    "an input without gradient": lambda e: (lambda x, y: x * y, (leaf(e), leaf(e).detach())),
    "a number": lambda e: (lambda x: x.sum(), leaf(e, 0.5)),
    "nothing": lambda e: (lambda x: x.exp(), leaf(e, [])),
    "rows of nothing": lambda e: (lambda x: x[:, 3:], leaf(e)),
    "a view": lambda e: (lambda x: x.T[1], leaf(e)),
    "one's own": lambda e: (own_operation(e, lambda g, x: 2 * g * x), leaf(e)),
}

WRONG = {
    "a factor": lambda e: (own_operation(e, lambda g, x: 2.1 * g * x), leaf(e)),
    "detached": lambda e: (lambda x: x * x.detach(), leaf(e)),
    "one element": lambda e: (own_operation(e, _wrong_once), leaf(e)),
    "not multiplied": lambda e: (own_operation(e, lambda g, x: 2 * x), leaf(e)),
    "constant": lambda e: (lambda x: x.detach() * 2, leaf(e)),
    "NaN": lambda e: (own_operation(e, lambda g, x: g * float("nan")), leaf(e)),
}


def _wrong_once(g, x):
    mask = g * 0
    mask[1, 2] = 0.5
    return 2 * g * x + mask * g


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize("name", sorted(RIGHT))
@pytest.mark.parametrize("which", sorted(CHECKS))
def test_right_gradients_pass(which, name, fast_mode):
    (ours, check), (theirs, torch_check) = CHECKS[which]
    mine = outcome(check, *RIGHT[name](ours), fast_mode=fast_mode)
    assert mine == outcome(torch_check, *RIGHT[name](theirs), fast_mode=fast_mode)
    assert mine is True


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize("name", sorted(WRONG))
def test_wrong_gradients_fail_as_in_pytorch(name, fast_mode):
    (ours, check), (theirs, torch_check) = CHECKS["gradcheck"]
    mine = outcome(check, *WRONG[name](ours), fast_mode=fast_mode)
    assert mine == outcome(torch_check, *WRONG[name](theirs), fast_mode=fast_mode)
    assert mine[0] == "GradcheckError"
    assert outcome(check, *WRONG[name](ours), fast_mode=fast_mode, raise_exception=False) is False


def test_wrong_second_derivative_fails_where_the_first_is_right():
    def cube(engine):
        return own_operation(engine, lambda g, x: 3 * g * x.detach() ** 2, lambda x: x**3)

    (ours, check), (theirs, torch_check) = CHECKS["gradgradcheck"]
    assert gradcheck(cube(ours), leaf(ours))
    mine = outcome(check, cube(ours), leaf(ours))
    assert mine == outcome(torch_check, cube(theirs), leaf(theirs))
    assert mine[0] == "GradcheckError"


@pytest.mark.parametrize("fast_mode", [False, True])
def test_the_worst_element_is_named(fast_mode):
    function, inputs = WRONG["one element"](tinygrad_mnist)
    with pytest.raises(GradcheckError) as caught:
        gradcheck(function, inputs, fast_mode=fast_mode)
    error = caught.value
    assert (error.output, error.output_index) == (0, (1, 2))
    assert (error.input, error.input_index) == (0, (1, 2))
    assert error.analytic == pytest.approx(2 * NUMBERS[1][2] + 0.5)
    assert error.numeric == pytest.approx(2 * NUMBERS[1][2])
    assert "output 0 at (1, 2) with respect to input 0 at (1, 2)" in str(error)


def test_the_worst_of_several_results_and_inputs():
    wrong = own_operation(tinygrad_mnist, lambda g, x: 2.5 * g * x)
    x, y = leaf(tinygrad_mnist), leaf(tinygrad_mnist, NUMBERS[0])
    with pytest.raises(GradcheckError) as caught:
        gradcheck(lambda x, y: (x.exp(), wrong(y) + x), (x, y))
    assert (caught.value.output, caught.value.input) == (1, 1)
    assert caught.value.input_index == (2,)


class TestNotReentrant:
    """A backward pass that gives another result every time."""

    def noisy(self, engine):
        count = iter(range(1000))
        return own_operation(engine, lambda g, x: 2 * g * x + g * 1e-7 * next(count))

    @pytest.mark.parametrize("fast_mode", [False, True])
    @pytest.mark.parametrize("tolerance", [0.0, 1e-3])
    def test_is_refused_unless_tolerated(self, tolerance, fast_mode):
        (ours, check), (theirs, torch_check) = CHECKS["gradcheck"]
        options = {"nondet_tol": tolerance, "fast_mode": fast_mode}
        mine = outcome(check, self.noisy(ours), leaf(ours), **options)
        expected = outcome(torch_check, self.noisy(theirs), leaf(theirs), **options)
        assert (mine is True) == (expected is True) == bool(tolerance)


class TestInputs:
    def both(self, make, **options):
        return [outcome(check, *make(engine), **options) for engine, check in CHECKS["gradcheck"]]

    def test_none_requires_a_gradient(self):
        mine, expected = self.both(lambda e: (lambda x: x * 2, leaf(e).detach()))
        assert mine == expected
        assert mine[0] == "ValueError"

    def test_elements_share_memory(self):
        def make(engine):
            return lambda x: x * 2, leaf(engine, [1.0]).detach().expand(3).requires_grad_()

        mine, expected = self.both(make)
        assert mine == expected
        assert mine[0] == "RuntimeError"

    def test_single_precision_is_warned_of(self):
        for engine, check in CHECKS["gradcheck"]:
            x = leaf(engine, dtype="float32")
            with pytest.warns(UserWarning, match="Input #0 requires gradient and is not a double"):
                check(lambda x: x * 2, x, eps=1e-2, atol=1e-2)

    def test_single_precision_hides_no_gross_error(self):
        x = leaf(tinygrad_mnist, dtype="float32")
        with pytest.warns(UserWarning, match="double precision"), pytest.raises(GradcheckError):
            gradcheck(lambda x: x * x.detach(), x, eps=1e-2, atol=1e-2)

    def test_are_left_as_they_were(self):
        x = leaf(tinygrad_mnist)
        gradgradcheck(lambda x: x.exp(), x)
        assert np.array_equal(x.detach().numpy(), np.array(NUMBERS))
        assert x.grad is None

    def test_are_restored_when_the_function_raises(self):
        x, calls = leaf(tinygrad_mnist), iter(range(10))

        def fails_later(x):
            if next(calls) > 2:
                raise KeyError("later")
            return x * 2

        with pytest.raises(KeyError):
            gradcheck(fails_later, x)
        assert np.array_equal(x.detach().numpy(), np.array(NUMBERS))

    def test_draw_no_random_numbers(self):
        tinygrad_mnist.manual_seed(5)
        expected = tinygrad_mnist.rand(1).item()
        tinygrad_mnist.manual_seed(5)
        gradgradcheck(lambda x: x.exp(), leaf(tinygrad_mnist), fast_mode=True)
        assert tinygrad_mnist.rand(1).item() == expected


def test_gradients_of_a_wrong_dtype_are_found():
    function = own_operation(tinygrad_mnist, lambda g, x: (2 * g * x).float())
    x = leaf(tinygrad_mnist)
    mine = outcome(gradcheck, function, x, check_grad_dtypes=True, rtol=1e-2)
    torch_function = own_operation(torch, lambda g, x: (2 * g * x).float())
    assert mine == outcome(
        torch.autograd.gradcheck, torch_function, leaf(torch), check_grad_dtypes=True, rtol=1e-2
    )


def test_a_result_may_be_left_out():
    class Two(tinygrad_mnist.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            return 2 * g + 3 * h

    x = leaf(tinygrad_mnist)
    with pytest.raises((GradcheckError, TypeError)):
        gradcheck(Two.apply, x)


@pytest.mark.parametrize("with_gaps", [False, True])
def test_gradients_from_above_may_have_gaps(with_gaps):
    seen = []

    def function(x):
        result = x * 2
        if result.requires_grad:
            result.register_hook(lambda g: seen.append(g.is_contiguous()))
        return result

    assert gradgradcheck(function, leaf(tinygrad_mnist), gen_non_contig_grad_outputs=with_gaps)
    assert seen


def test_gradients_from_above_may_be_given():
    x = leaf(tinygrad_mnist)
    above = tinygrad_mnist.ones_like(x).requires_grad_()
    assert gradgradcheck(lambda x: x**3, x, above)
    assert gradgradcheck(lambda x: x**3, (x,), (above.detach(),))


def test_what_is_absent_says_so():
    with pytest.raises(NotImplementedError, match="masked"):
        gradcheck(lambda x: x * 2, leaf(tinygrad_mnist), masked=True)


def test_tangents_are_checked_too():
    class Square(tinygrad_mnist.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.save_for_backward(x)
            ctx.save_for_forward(x)
            ctx.factor = factor
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 2 * g * ctx.saved_tensors[0], None

        @staticmethod
        def jvp(ctx, tangent, _):
            return ctx.factor * tangent * ctx.saved_tensors[0]

    x = leaf(tinygrad_mnist)
    assert gradcheck(Square.apply, (x, 2), check_forward_ad=True, check_batched_grad=True)
    with pytest.raises(RuntimeError, match="computed with forward mode mismatch for output 0"):
        gradcheck(Square.apply, (x, 3), check_forward_ad=True)
    assert gradgradcheck(lambda x: x**3, x, check_fwd_over_rev=True)


@pytest.mark.parametrize("which", sorted(CHECKS))
def test_signatures_are_those_of_pytorch(which):
    def shown(function):
        parameters = inspect.signature(function).parameters.values()
        return [(each.name, each.kind, each.default) for each in parameters]

    (_, check), (_, torch_check) = CHECKS[which]
    assert shown(check) == shown(torch_check)


def test_nothing_to_check_is_refused():
    with pytest.raises(AssertionError, match="at least one of check_forward_ad"):
        gradcheck(lambda x: x * 2, leaf(tinygrad_mnist), check_backward_ad=False)
    with pytest.raises(AssertionError, match="at least one of check_fwd_over_rev"):
        gradgradcheck(lambda x: x * 2, leaf(tinygrad_mnist), check_rev_over_rev=False)


def test_tensors_of_pytorch_are_told_apart():
    theirs = torch.ones(2, dtype=torch.float64, requires_grad=True)
    with pytest.raises(TypeError, match=r"input #0 is a torch.Tensor: make it with tinygrad_mnist"):
        gradcheck(lambda x: x * x, theirs)


def test_arrays_of_other_libraries_are_told_apart():
    of_jax = type("ArrayImpl", (), {"__module__": "jaxlib.xla_extension", "dtype": np.float32})
    for array in (np.ones(2), of_jax()):
        with pytest.raises(TypeError, match=r"input #0 is a (numpy|jaxlib)\..*: make it with"):
            gradcheck(lambda x: x * x, array)


def test_a_function_of_numpy_is_told_from_one_of_the_engine():
    with pytest.raises(TypeError, match=r"result #0 is a numpy.ndarray: gradients flow through"):
        gradcheck(lambda x: np.sin(x.detach().numpy()), leaf(tinygrad_mnist))


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_shape_that_depends_on_numbers_is_refused(fast_mode):
    texts = []
    for engine in (tinygrad_mnist, torch):
        x = engine.zeros(2, dtype=engine.float64, requires_grad=True)
        with pytest.raises(AssertionError) as caught:
            engine.autograd.gradcheck(lambda x: x[x >= 0] * 2, x, fast_mode=fast_mode)
        texts.append(str(caught.value))
    assert texts[0] == texts[1]


def test_no_kernels_are_compiled_for_it(monkeypatch):
    monkeypatch.setattr(dispatch, "PATIENCE", 1)
    fresh = dispatch.Loops("loops")
    monkeypatch.setattr(fresh, "_decide", lambda: pytest.fail("it compiles"))

    def counted(x):
        fresh.consider(x.numel())
        return x * x

    assert gradcheck(counted, leaf(tinygrad_mnist))
    assert fresh.calls == 0
