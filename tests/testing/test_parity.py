"""assert_parity: what it lets pass, what it finds, and what it says of it."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given

import tinygrad_mnist
from tinygrad_mnist.testing import ParityError, assert_parity, compare
from tinygrad_mnist.tools.parity import parity as parity_module
from tinygrad_mnist.tools.parity import strategies

X = np.linspace(-2, 2, 6, dtype=np.float32).reshape(2, 3)
Y = np.array([0.5, -1.0, 3.0], np.float32)


def found(fn, torch_fn, *inputs, **options):
    """What the differences that a comparison reports are about."""
    return [each.what for each in compare(fn, torch_fn, *inputs, **options).differences()]


def same(function):
    return function, function


class TestAgreement:
    def test_of_a_value_and_gradients_of_both_orders(self):
        comparison = assert_parity(*same(lambda x, y: (x * y).exp() / (1 + y * y)), X, Y,
                                   second_order=True)  # fmt: skip
        assert comparison.gradients
        assert comparison.second
        assert comparison.raised is None
        assert str(comparison).startswith("no difference")

    def test_of_an_error(self):
        assert assert_parity(*same(lambda x: x.sum(5)), X).raised == "IndexError"

    def test_of_no_tensor_at_all(self):
        assert_parity(*same(lambda n: n * 2.5), 3)

    def test_of_results_in_lists_tuples_and_dicts(self):
        assert_parity(*same(lambda x: {"a": [x * 2, (x.sum(), x.shape)], "b": x.ndim}), X)

    def test_in_every_layout(self):
        for array in (X.T, X[:, ::2], np.broadcast_to(Y, (4, 3)), X[1:]):
            strides = tuple(step // array.itemsize for step in array.strides)
            assert_parity(*same(lambda x, strides: x * (x.stride() == strides)), array, strides)
            comparison = compare(*same(lambda x: x.stride()), array)
            assert not comparison.differences()

    @given(x=strategies.tensors(requires_grad=True))
    def test_of_tensors_that_hypothesis_makes(self, x):
        assert_parity(*same(lambda x: x * x), x)


class TestInputs:
    def test_passed_twice_are_one_tensor(self):
        assert_parity(*same(lambda x, y: (x is y) * x), X, X)
        assert_parity(*same(lambda x, y: (x is y) * x), X, X.copy())

    def test_in_lists_are_converted(self):
        comparison = assert_parity(lambda many: tinygrad_mnist.cat(many), torch.cat, [X, X * 2])
        assert [each.what for each in comparison.gradients] == [
            "gradient of input 0[0]",
            "gradient of input 0[1]",
        ]

    @pytest.mark.parametrize("engine", [tinygrad_mnist, torch], ids=["ours", "torch"])
    def test_tensors_keep_what_they_say_of_gradients(self, engine):
        x = engine.tensor(X.tolist(), requires_grad=True)
        comparison = assert_parity(*same(lambda x, y: x * y), x, x.detach())
        assert [each.what for each in comparison.gradients] == ["gradient of input 0"]

    @pytest.mark.parametrize("engine", [tinygrad_mnist, torch], ids=["ours", "torch"])
    def test_dtypes_are_each_engine_s_own(self, engine):
        assert_parity(*same(lambda x, kind: x.to(kind)), X, engine.float64)

    def test_are_not_touched(self):
        kept = X.copy()
        assert_parity(*same(lambda x: x.detach().mul_(2)), X)
        assert np.array_equal(X, kept)

    def test_are_followed_when_the_function_changes_them(self):
        assert_parity(*same(lambda x: x.detach().mul_(2)), X)
        assert "input 0 afterwards" in found(lambda x: x.detach() * 2,
                                             lambda x: x.detach().mul_(2), X)  # fmt: skip


class TestDifferences:
    def test_of_a_value(self):
        differing = compare(lambda x: x * 1.0001, lambda x: x * 1, X).differences()
        assert differing[0].what == "value"
        assert differing[0].ulp > 4

    def test_of_a_gradient_alone(self):
        assert found(lambda x: x * 2, lambda x: x.detach() * 2 + 0 * x, X) == [
            "gradient of input 0"
        ]

    def test_of_the_second_order_alone(self):
        def hidden(engine):
            """x² whose second derivative is lost."""

            def function(x):
                return x * x.detach() * 2 - x.detach() ** 2

            return function

        wrong = found(hidden(tinygrad_mnist), lambda x: x * x, X, second_order=True)
        assert wrong == ["second order, input 0"]
        assert found(hidden(tinygrad_mnist), lambda x: x * x, X) == []

    def test_of_a_gradient_that_is_missing(self):
        wrong = found(lambda x, y: x + y.detach(), lambda x, y: x + y, X, X + 1)
        assert "gradient of input 1" in wrong

    def test_of_a_shape(self):
        assert "shape of value" in found(lambda x: x.sum(), lambda x: x.sum(0), X)

    def test_of_a_dtype(self):
        assert "dtype of value" in found(lambda x: x.double(), lambda x: x + 0, X)

    def test_of_requiring_a_gradient(self):
        assert "value requires grad" in found(lambda x: x.detach() * 2, lambda x: x * 2, X)

    def test_of_the_number_of_results(self):
        assert found(lambda x: (x, x), lambda x: (x, x, x), X)

    def test_of_a_plain_result(self):
        assert found(lambda x: x.ndim + 1, lambda x: x.ndim, X) == ["value"]

    def test_of_errors(self):
        wrong = compare(lambda x: x.sum(5), lambda x: x.view(5), X).differences()
        assert wrong[0].what == "error"
        assert wrong[0].ours.startswith("IndexError: Dimension out of range")
        assert wrong[0].theirs.startswith("RuntimeError: shape '[5]' is invalid")

    def test_of_no_name_that_neither_engine_knows(self):
        with pytest.raises(AttributeError, match="sinus"):
            compare(lambda x: x.sinus(), lambda x: x.sinus(), X)

    def test_of_an_error_and_a_result(self):
        assert found(lambda x: x.sum(5), lambda x: x.sum(0), X) == ["error"]
        assert found(lambda x: x.sum(0), lambda x: x.sum(5), X) == ["error"]

    def test_that_a_warning_is_ours_alone(self):
        def warns(x):
            warnings.warn("careful", DeprecationWarning, stacklevel=1)
            return x * 2

        assert found(warns, lambda x: x * 2, X) == ["warning"]
        assert found(warns, warns, X) == []

    def test_that_nan_is_at_another_place(self):
        numbers = np.array([-1.0, 1.0], np.float32)
        assert "value" in found(lambda x: x.sqrt(), lambda x: (x + 2).sqrt(), numbers)


class TestReport:
    def test_is_a_short_table_with_the_seed(self):
        with pytest.raises(ParityError) as caught:
            assert_parity(lambda x: x * 2, lambda x: x * 3, Y, seed=11)
        lines = str(caught.value).splitlines()
        assert "seed=11" in lines[0]
        assert lines[2].split() == ["what", "index", "tinygrad_mnist", "PyTorch", "ulp", "allowed"]
        assert lines[3].split()[:4] == ["value", "(0,)", "1.0", "1.5"]
        assert len(lines) == 5
        assert caught.value.comparison.differences()[0].index == "(0,)"

    def test_replays_from_its_seed(self):
        def run(seed):
            wrong = compare(lambda x: x * 2, lambda x: x * 3, Y, seed=seed)
            return [each.ours for each in wrong.gradients]

        assert run(5) == run(5)
        assert run(5) != run(6)

    def test_seeds_are_new_each_time_unless_fixed(self, monkeypatch):
        seeds = {compare(*same(lambda x: x * 2), Y).seed for _ in range(5)}
        assert len(seeds) == 5
        monkeypatch.setattr(parity_module, "fixed_seed", 99)
        assert compare(*same(lambda x: x * 2), Y).seed == 99

    @given(x=strategies.arrays())
    def test_seed_is_fixed_under_hypothesis(self, x):
        assert compare(*same(lambda x: x * 2), x).seed == 0


class TestScale:
    """What the ulp are counted of."""

    CANCELLING = np.array([1.0, 2.0**-20, -1.0], np.float32)

    def shaken(self, x):
        """A sum whose last bits are off by what another order of summation could cost."""
        return x.sum() + 2.0**-23

    def test_of_a_sum_is_the_sum_of_absolute_terms(self):
        arguments = (self.shaken, lambda x: x.sum(), self.CANCELLING)
        assert found(*arguments, scale=None) == ["value"]
        assert found(*arguments, scale="terms") == []

    def test_of_a_gradient_that_is_a_sum(self):
        wide = np.tile(np.float32([1.0, -1.0]), 8)
        comparison = compare(*same(lambda x, y: x * y), np.ones(1, np.float32), wide)
        assert comparison.worst("gradients") <= 1

    def test_may_be_a_function(self):
        arguments = (lambda x, y: x - y + 2.0**-23, lambda x, y: x - y, np.float32([1.0]),
                     np.float32([1.0 - 2**-24]))  # fmt: skip
        assert found(*arguments, scale=None) == ["value"]
        assert found(*arguments, scale=torch.add) == []

    def test_may_be_the_largest(self):
        def shaken(x):
            return x + 2.0**-23

        assert found(shaken, lambda x: x + 0, self.CANCELLING, scale=None) == ["value"]
        assert found(shaken, lambda x: x + 0, self.CANCELLING, scale="largest") == []

    def test_may_be_the_largest_in_sight(self):
        def spread(x):
            return ((x - x.mean()) ** 2).sum()

        far = np.float32([1000.0, 1000.0, 1000.001])
        shaken = (lambda x: spread(x) + 2.0**-16, spread, far)
        assert "value" in found(*shaken, scale="largest")
        assert found(*shaken, scale="sight") == []

    def test_hides_no_error_of_its_own_size(self):
        arguments = (lambda x: x.sum() * 1.001, lambda x: x.sum(), np.float32([1, 2]))
        assert found(*arguments, scale="terms") == ["value", "gradient of input 0"]

    def test_that_is_unknown_is_refused(self):
        with pytest.raises(ValueError, match="scale must be"):
            compare(*same(lambda x: x.sum()), X, scale="most")


def test_without_pytorch_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModuleNotFoundError, match=r"tinygrad_mnist\[reference\]"):
        assert_parity(*same(lambda x: x * 2), X)


def test_importing_the_library_loads_nothing_large():
    program = (
        "import sys, tinygrad_mnist.testing, tinygrad_mnist.tools.parity.table\n"
        "print(sorted({'torch', 'hypothesis', 'numba', 'pytest'} & set(sys.modules)))"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
