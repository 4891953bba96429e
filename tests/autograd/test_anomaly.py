"""Anomaly detection names the operation and the line that made it."""

import threading
import warnings

import pytest

import tinygrad_mnist as T

pytestmark = pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")


def run(mode):
    x = T.tensor([0.0, 1.0], requires_grad=True)
    with mode:
        y = T.log(x) * x  # the line to be named
        y.sum().backward()


def test_a_nan_is_named_with_its_line():
    with (
        pytest.warns(UserWarning, match="the line to be named"),
        pytest.raises(RuntimeError, match="'LogBackward0' returned nan values in its 0th output"),
    ):
        run(T.autograd.detect_anomaly())


def test_check_nan_can_be_left_out():
    run(T.autograd.set_detect_anomaly(True, check_nan=False))
    assert not T.autograd.is_anomaly_enabled()


def test_a_failing_formula_is_named_with_its_line():
    x = T.tensor([1.0], requires_grad=True)
    with T.autograd.detect_anomaly():
        z = x * 1
        y = z.exp() * z
        z.add_(1)
        with (
            pytest.warns(UserWarning, match="z.exp()"),
            pytest.raises(RuntimeError, match="modified by an inplace operation"),
        ):
            y.backward()


def test_switched_on_and_off_at_once():
    T.autograd.set_detect_anomaly(True)
    assert T.autograd.is_anomaly_enabled()
    T.autograd.set_detect_anomaly(False)
    assert not T.autograd.is_anomaly_enabled()


def test_records_made_before_are_told_apart():
    x = T.tensor([0.0], requires_grad=True)
    y = T.sqrt(x) * 0
    with (
        T.autograd.detect_anomaly(),
        pytest.warns(UserWarning, match="No forward pass information available"),
        pytest.raises(RuntimeError, match="SqrtBackward0"),
    ):
        y.backward()


def test_what_induced_a_record_is_told_too():
    class Inner(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            return gradient * float("nan")

    class Outer(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            return Inner.apply(gradient)

    x, weight = (T.tensor([1.0], requires_grad=True) for _ in range(2))
    with (
        T.autograd.detect_anomaly(),
        pytest.warns(UserWarning, match="Error detected|induced by") as told,
        pytest.raises(RuntimeError, match="InnerBackward"),
    ):
        T.autograd.grad(Outer.apply(x) * weight, x, create_graph=True)[0].backward()
    assert "Inner.apply(gradient)" in str(told[0].message)
    assert "induced by OuterBackward" in str(told[1].message)
    assert "Outer.apply(x)" in str(told[1].message)


def test_a_warning_that_is_an_error_hides_no_error(capsys):
    x = T.tensor([0.0], requires_grad=True)
    with T.autograd.detect_anomaly(), warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeError, match="SqrtBackward0"):
            (T.sqrt(x) * 0).backward()
    assert "Error detected in SqrtBackward0" in capsys.readouterr().err


def test_each_thread_has_its_own():
    seen = []
    with T.autograd.detect_anomaly():
        thread = threading.Thread(target=lambda: seen.append(T.autograd.is_anomaly_enabled()))
        thread.start()
        thread.join()
    assert seen == [False]


def test_the_same_gradients_as_without():
    x = T.tensor([1.0, 2.0], requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Anomaly Detection has been enabled")
        with T.autograd.detect_anomaly():
            (x * x + x).sum().backward()
    assert x.grad.tolist() == [3.0, 5.0]
