"""Gradients held against finite differences: `gradcheck` and `gradgradcheck`, as PyTorch has them.

The derivative of a function is estimated from its values alone, by the central difference
(f(x + ε) − f(x − ε)) / 2ε, whose error is of order ε². In float64 with ε = 1e-6 about nine digits
are good, and a wrong formula shows at once.

Source: the notes on gradcheck mechanics in PyTorch's documentation, for the two modes. Slow, every
entry of the Jacobian matrix J is compared. Fast, one number for each input and output: vᵀ J u for
random vectors u and v, from the gradient as (vᵀ J) u and from two calls of the function as
vᵀ (J u); here twice, for other vectors.

A Jacobian matrix has a row for each number of one input and a column for each number of one result,
as PyTorch's gradcheck prints them, and is float64 whatever the tensors are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.hooks import run_hooks
from tinygrad_mnist.engine.size import Size
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.kernels.dispatch import staying
from tinygrad_mnist.ops.random_in_place import batched_draws

from .forward_ad import dual_level, make_dual, unpack_dual
from .gradients import grad

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

Function = Callable[..., Any]
_PROJECTIONS = 2
"""How often the fast mode looks: a wrong Jacobian may look right from one direction by chance."""


class GradcheckError(RuntimeError):
    """What `gradcheck` raises; about a wrong number it says which, by these attributes.

    `output` and `input` count the function's results and arguments, `output_index` and
    `input_index` say where in them the worst element lies; `analytic` is its derivative by the
    formulas, `numeric` by finite differences. All are None where there is no such element.
    """

    output: int | None = None
    input: int | None = None
    output_index: tuple[int, ...] | None = None
    input_index: tuple[int, ...] | None = None
    analytic: float | None = None
    numeric: float | None = None

    def __init__(self, message: str, **where: Any) -> None:
        super().__init__(message)
        vars(self).update(where)


def gradcheck(
    func: Function, inputs: Tensor | Sequence[Tensor], *,
    eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3, raise_exception: bool = True,
    nondet_tol: float = 0.0, check_undefined_grad: bool = True, check_grad_dtypes: bool = False,
    check_batched_grad: bool = False, check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False, check_backward_ad: bool = True, fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:  # fmt: skip
    """Whether the gradients of `func` at `inputs` are those that finite differences give.

    `func` takes the inputs, of any shapes, and returns a tensor or several; checked are the
    derivatives of every result that requires a gradient with respect to every input that does.
    Those should be float64, and their elements must not share memory. Two numbers agree when
    |analytic − numeric| ≤ atol + rtol · |numeric|. Checked as well: that two backward passes
    agree within `nondet_tol`; that a gradient from above of zero gives zero, in the shape, and
    with `check_grad_dtypes` in the dtype, of the input; and, with `check_undefined_grad`, that
    a result which is left out counts as one whose gradient is zero.

    Returns True. What does not agree raises GradcheckError, which names the worst element, or
    returns False with `raise_exception=False`. Raises ValueError when no input requires a
    gradient, TypeError for a tensor of PyTorch, RuntimeError for an input whose elements share
    memory. With `check_forward_ad` the tangents of dual tensors are checked as well. Batched
    gradients are computed one by one here: `check_batched_grad` changes nothing;
    `check_batched_forward_grad` checks that tangents add up, and that nothing is drawn at random.

    >>> x = torch.tensor([0.5, -1.0], dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradcheck(lambda x: x.tanh() * x, x)
    True
    """
    _need_one(check_forward_ad=check_forward_ad, check_backward_ad=check_backward_ad)
    if masked:
        raise NotImplementedError("masked=True is for sparse tensors, which are not supported")
    with staying("gradcheck"):
        check = _Check(func, _as_tuple(inputs), eps, atol, rtol, nondet_tol, check_grad_dtypes)
        try:
            if check_backward_ad:
                (check.fast if fast_mode else check.slow)()
                check.zero_from_above()
            if check_backward_ad and check_undefined_grad:
                check.results_left_out()
            if check_forward_ad:
                check.forward_mode(check_undefined_grad)
            if check_forward_ad and check_batched_forward_grad:
                check.tangents_add_up()
        except GradcheckError:
            if raise_exception:
                raise
            return False
    return True


def gradgradcheck(
    func: Function, inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor] | None = None, *,
    eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False, raise_exception: bool = True,
    nondet_tol: float = 0.0, check_undefined_grad: bool = True, check_grad_dtypes: bool = False,
    check_batched_grad: bool = False, check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True, fast_mode: bool = False, masked: bool = False,
) -> bool:  # fmt: skip
    """Whether the gradients of the gradients of `func` are those that finite differences give.

    `gradcheck` of the function that takes the inputs and the gradients from above and returns
    the gradients of the inputs. `grad_outputs` are these gradients from above, one for each
    result that requires a gradient; unless given, random numbers between −1 and 1 (in memory
    with gaps under `gen_non_contig_grad_outputs`). The rest is as in `gradcheck`.

    >>> x = torch.tensor([0.5, -1.0], dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradgradcheck(lambda x: x.exp() / (1 + x * x), x)
    True
    """
    _need_one(check_fwd_over_rev=check_fwd_over_rev, check_rev_over_rev=check_rev_over_rev)
    given = _as_tuple(inputs)
    if grad_outputs is None:
        results = _differentiable(func(*given))
        above = tuple([_random_like(each, gen_non_contig_grad_outputs) for each in results])
    else:
        above = _as_tuple(grad_outputs)
    wanted = [i for i, each in enumerate(given) if _requires_grad(each)]

    def gradients(*arguments: Any) -> tuple[Tensor, ...]:
        those, from_above = arguments[: len(given)], arguments[len(given) :]
        for i in wanted:
            those[i].requires_grad_()
        roots = _differentiable(func(*those))
        leaves = [those[i] for i in wanted]
        found = grad(roots, leaves, from_above, create_graph=True, allow_unused=True)
        return tuple([each for each in found if each is not None])

    return gradcheck(
        gradients, given + above, eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception,
        nondet_tol=nondet_tol, check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes, check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev, check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode, masked=masked,
    )  # fmt: skip


def _need_one(**asked: bool) -> None:
    if not any(asked.values()):
        raise AssertionError(f"Expected at least one of {' or '.join(asked)} to be True")


def _kind(value: Any) -> str:
    """A value's class with its package, "numpy.ndarray"."""
    return f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"


def _as_tuple(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, tuple | list) else (given,)


def _requires_grad(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _differentiable(results: Any) -> tuple[Tensor, ...]:
    return tuple([each for each in _as_tuple(results) if _requires_grad(each)])


def _random_like(tensor: Tensor, with_gaps: bool) -> Tensor:
    shape = tuple(tensor.shape)
    numbers = np.random.default_rng(0).uniform(-1, 1, (*shape, 2)).astype(tensor.dtype.numpy)
    drawn = numbers[..., 0] if with_gaps else np.ascontiguousarray(numbers[..., 0]).reshape(shape)
    return wrap(np.asarray(drawn)).requires_grad_()


_UNDEFINED = (
    "Backwards compatibility: New undefined gradient support checking feature is enabled by "
    "default, but it may break existing callers of this function. If this is true for you, you can "
    "call this function with `check_undefined_grad=False` to disable the feature"
)


class _Check:
    """One function at one point, and how near is near enough."""

    def __init__(
        self, function: Function, inputs: tuple[Any, ...], eps: float, atol: float, rtol: float,
        nondet_tol: float, check_dtypes: bool,
    ) -> None:  # fmt: skip
        self.function, self.inputs = function, inputs
        self.eps, self.atol, self.rtol = eps, atol, rtol
        self.nondet_tol, self.check_dtypes = nondet_tol, check_dtypes
        self.wanted = [i for i, each in enumerate(inputs) if _requires_grad(each)]
        self._check_inputs()
        self.results = self._call()

    @property
    def leaves(self) -> list[Tensor]:
        """The inputs whose gradients are checked."""
        return [self.inputs[i] for i in self.wanted]

    def _call(self) -> list[tuple[int, Tensor]]:
        """The results that require a gradient, with their positions among all results."""
        returned = _as_tuple(self.function(*self.inputs))
        for place, each in enumerate(returned):
            if not isinstance(each, Tensor | bool | int | float | None):
                raise TypeError(
                    f"gradcheck expects a function of tinygrad_mnist, but result #{place} is a "
                    f"{_kind(each)}: gradients flow through operations of tinygrad_mnist alone"
                )
        results = enumerate(returned)
        return [(place, each) for place, each in results if _requires_grad(each)]

    def _check_inputs(self) -> None:
        for i, each in enumerate(self.inputs):
            if not isinstance(each, Tensor) and hasattr(each, "dtype"):
                plain = "x.detach()" if hasattr(each, "detach") else "x"
                raise TypeError(
                    f"gradcheck expects tensors of tinygrad_mnist, but input #{i} is a "
                    f"{_kind(each)}: make it with tinygrad_mnist.tensor(numpy.array({plain}), "
                    "dtype=tinygrad_mnist.float64, requires_grad=True), and write the function "
                    "with tinygrad_mnist; functions of PyTorch and JAX are checked by "
                    "torch.autograd.gradcheck and jax.test_util.check_grads"
                )
        if not self.wanted:
            raise ValueError(
                "gradcheck expects at least one input tensor to require gradient, "
                "but none of them have requires_grad=True."
            )
        for i in self.wanted:
            tensor = self.inputs[i]
            if tensor._array.dtype != np.float64:
                warnings.warn(
                    f"Input #{i} requires gradient and is not a double precision floating point "
                    "or complex. This check will likely fail if all the inputs are not of double "
                    "precision floating point or complex. ",
                    stacklevel=4,
                )
            steps = zip(tensor.stride(), tensor.shape, strict=True)
            if tensor.numel() and any(step == 0 and size > 1 for step, size in steps):
                raise RuntimeError(
                    f"The {i}th input has a dimension with stride 0. gradcheck only supports "
                    "inputs that are non-overlapping to be able to compute the numerical "
                    "gradients correctly. You should call .contiguous on the input before "
                    "passing it to gradcheck."
                )

    def slow(self) -> None:
        """Compare every entry of every Jacobian matrix."""
        for position, i in enumerate(self.wanted):
            by_differences = self._numeric(i)
            if not self.results:
                self._expect_zero(by_differences)
            for place, result in self.results:
                by_formulas = self._analytic(result)[position]
                self._compare(place, i, result.shape, by_formulas, by_differences[place])

    def forward_mode(self, check_zeros: bool) -> None:
        """Compare every entry of every Jacobian matrix with the tangents of dual tensors."""
        for i in self.wanted if check_zeros else ():
            zeros = np.zeros_like(self.inputs[i]._array)
            for shown in (zeros, -zeros)[: len(self.wanted)]:
                if any(each is not None and each.any() for each in self._pushed(i, shown)):
                    raise GradcheckError("a tangent of zeros does not give zeros")
        for i in self.wanted:
            x = self.inputs[i]._array
            units = np.eye(x.size, dtype=x.dtype)
            columns = [self._pushed(i, unit.reshape(x.shape)) for unit in units]
            by_differences = self._numeric(i)
            for place, result in enumerate(columns[0] if columns else ()):
                if result is not None:
                    pushed = np.stack([column[place].reshape(-1) for column in columns])
                    how = "computed with forward mode "
                    self._compare(place, i, result.shape, pushed, by_differences[place], how)

    def tangents_add_up(self) -> None:
        """Check that the tangents of two directions add up to those of their sum."""
        for i in self.wanted:
            random = np.random.default_rng(i)
            one, two = random.uniform(-1, 1, (2, *self.inputs[i]._array.shape))
            with batched_draws(1, "error"):
                try:
                    three = [self._pushed(i, each) for each in (one, two, one + two)]
                except RuntimeError as error:
                    raise GradcheckError(
                        "While computing batched gradients, got: vmap: We do not yet support "
                        f"calling random operations inside of vmap.\n\n{error}"
                    ) from error
            for a, b, both in zip(*three, strict=True):
                if a is not None and not np.allclose(a + b, both, self.rtol, self.atol):
                    raise GradcheckError("the tangents of two directions do not add up")

    def _pushed(self, i: int, tangent: Array) -> list[Any]:
        """The tangents of the results for one of input `i`, and zeros of the others."""
        with dual_level():
            inputs = [each.detach() if isinstance(each, Tensor) else each for each in self.inputs]
            for at in self.wanted:
                zeros = np.zeros_like(inputs[at]._array)
                inputs[at] = make_dual(inputs[at], wrap(tangent if at == i else zeros))
            return [self._tangent(each) for each in _as_tuple(self.function(*inputs))]

    @staticmethod
    def _tangent(result: Any) -> Any:
        if not isinstance(result, Tensor) or not result.is_floating_point():
            return None
        tangent = unpack_dual(result).tangent
        return np.zeros(result.shape) if tangent is None else tangent._array

    def _numeric(self, i: int) -> list[Array]:
        """The Jacobian of each result with respect to input `i`, by central differences."""
        array = self.inputs[i]._array
        positions = np.arange(array.size)
        columns = [self._difference(array, self.eps * (positions == each)) for each in positions]
        if not columns:
            return [np.zeros((0, each.size)) for each in self._numbers()]
        return [np.stack(rows) for rows in zip(*columns, strict=True)]

    def _difference(self, array: Array, step: Array) -> list[Array]:
        """The derivative of each result as `array`, an input's memory, moves: it is restored."""
        kept, step = array.copy(), step.reshape(array.shape)
        try:
            array[...] = kept - step
            below = self._numbers()
            array[...] = kept + step
            above = self._numbers()
        finally:
            array[...] = kept
        for a, b in zip(below, above, strict=True):
            if a.dtype != b.dtype:
                raise AssertionError(
                    "Expected `func` to return outputs with the same dtype when inputs are "
                    f"perturbed by {self.eps}, but got: dtypes {a.dtype} and {b.dtype}."
                )
            if a.shape != b.shape:
                moved = np.argwhere(step)
                where = f"on index {tuple(moved[0].tolist())} " if len(moved) == 1 else ""
                raise AssertionError(
                    "Expected `func` to return outputs with the same shape when inputs are "
                    f"perturbed {where}by {self.eps}, but got: shapes {Size(a.shape)!r} "
                    f"and {Size(b.shape)!r}."
                )
        return [
            (b.astype(np.float64) - a).reshape(-1) / (2 * self.eps)
            for a, b in zip(below, above, strict=True)
        ]

    def _numbers(self) -> list[Array]:
        """The numbers of each of the function's results, copied."""
        results = _as_tuple(self.function(*self.inputs))
        return [np.array(getattr(each, "_array", each)) for each in results]

    def _expect_zero(self, by_differences: list[Array]) -> None:
        if any(jacobian.any() for jacobian in by_differences):
            raise GradcheckError("Numerical gradient for function expected to be zero")

    def _analytic(self, result: Tensor, above: Any = None) -> list[Array]:
        """The Jacobians of `result` by its gradients, a column for each of its numbers.

        Given a gradient from `above`, there is one column alone. Raises GradcheckError where the
        gradients are not what they should be, or where a second pass gives others.
        """
        size = result.numel()
        rows = np.eye(size) if above is None else above.reshape(1, size)
        first, again = ([self._backward(result, row) for row in rows] for _ in range(2))
        pairs = [pair for found in first for pair in zip(found, self.leaves, strict=True)]
        if any(g is not None and g.shape != x.shape for g, x in pairs):
            raise GradcheckError("Analytical gradient has incorrect size")
        jacobians = self._side_by_side(first)
        others = zip(jacobians, self._side_by_side(again), strict=True)
        difference = float(max([np.abs(a - b).max(initial=0) for a, b in others]))
        if difference > self.nondet_tol:
            raise GradcheckError(
                "Backward is not reentrant, i.e., running backward with same input and "
                "grad_output multiple times gives different values, although analytical gradient "
                f"matches numerical gradient. The two differ by {difference:g}; the tolerance for "
                f"nondeterminism was {self.nondet_tol}."
            )
        if self.check_dtypes and any(g is not None and g.dtype is not x.dtype for g, x in pairs):
            raise GradcheckError("Gradient has dtype mismatch")
        return jacobians

    def _backward(self, result: Tensor, row: Array) -> tuple[Tensor | None, ...]:
        above = wrap(np.asarray(row.reshape(result._array.shape).astype(result._array.dtype)))
        return grad(result, self.leaves, above, retain_graph=True, allow_unused=True)

    def _side_by_side(self, passes: list[tuple[Tensor | None, ...]]) -> list[Array]:
        """For each leaf, its gradients as columns; one that was not used has zeros."""
        matrices = [np.zeros((leaf.numel(), len(passes))) for leaf in self.leaves]
        for column, found in enumerate(passes):
            for matrix, gradient in zip(matrices, found, strict=True):
                if gradient is not None:
                    matrix[:, column] = gradient._array.reshape(-1)
        return matrices

    def _compare(
        self, place: int, i: int, shape: Sequence[int], by_formulas: Array, by_differences: Array,
        how: str = "",
    ) -> None:  # fmt: skip
        allowed = self.atol + self.rtol * np.abs(by_differences)
        apart = np.abs(by_formulas - by_differences)
        if by_formulas.size == 0 or np.all(apart <= allowed):
            return
        excess = np.where(np.isnan(apart), np.inf, apart - allowed)
        row, column = np.unravel_index(int(excess.argmax()), excess.shape)
        input_index = _index(row, self.inputs[i].shape)
        output_index = _index(column, shape)
        a, n = float(by_formulas[row, column]), float(by_differences[row, column])
        raise GradcheckError(
            f"Jacobian {how}mismatch for output {place} with respect to input {i},\n"
            f"numerical:{by_differences}\nanalytical:{by_formulas}\n"
            f"The worst element is the derivative of output {place} at {output_index} with "
            f"respect to input {i} at {input_index}: analytic {a:.9g}, numeric {n:.9g}; they "
            f"differ by {abs(a - n):.3g}, allowed is {float(allowed[row, column]):.3g}.",
            output=place, input=i, output_index=output_index, input_index=input_index,
            analytic=a, numeric=n,
        )  # fmt: skip

    def fast(self) -> None:
        """Compare a few numbers for each input and result: vᵀ J u, with random u and v."""
        for seed in range(_PROJECTIONS):
            self._project(np.random.default_rng(seed))

    def _project(self, random: np.random.Generator) -> None:
        to_inputs = [_unit_vector(random, leaf) for leaf in self.leaves]
        to_results = [_unit_vector(random, result) for _, result in self.results]
        along = [
            self._difference(self.inputs[i]._array, self.eps * u)
            for i, u in zip(self.wanted, to_inputs, strict=True)
        ]
        if not self.results and any(
            derivative.size and np.abs(derivative).max() > self.nondet_tol
            for derivatives in along
            for derivative in derivatives
        ):
            raise GradcheckError("Numerical gradient for function expected to be zero")
        for (place, result), v in zip(self.results, to_results, strict=True):
            from_above = self._analytic(result, v)
            for position, (i, u) in enumerate(zip(self.wanted, to_inputs, strict=True)):
                a = float(from_above[position][:, 0] @ u)
                n = float(v @ along[position][place])
                if not abs(a - n) <= self.atol * u.sum() * v.sum() + self.rtol * abs(n):
                    self._explain(place, i, a, n)

    def _explain(self, place: int, i: int, a: float, n: float) -> None:
        """Raise with the worst element, found in the slow mode, where the fast mode failed."""
        result = next(each for where, each in self._call() if where == place)
        by_formulas = self._analytic(result)[self.wanted.index(i)]
        by_differences = self._numeric(i)[place]
        self._compare(place, i, result.shape, by_formulas, by_differences)
        raise GradcheckError(
            f"Jacobian mismatch for output {place} with respect to input {i},\n"
            f"numerical:{n}\nanalytical:{a}\n"
            "Fast gradcheck failed but element-wise differences are small. This means that the "
            "test might've passed in slow_mode!",
            output=place, input=i, analytic=a, numeric=n,
        )  # fmt: skip

    def zero_from_above(self) -> None:
        """Check that gradients are proportional to what arrives from above: zero gives zero."""
        results = [each for _, each in self._call()]
        if not results:
            return
        for gradient, leaf in zip(self._from_zeros(results), self.leaves, strict=True):
            if gradient is None:
                continue
            if gradient._array.any():
                raise GradcheckError("backward not multiplied by grad_output")
            if gradient.dtype is not leaf.dtype:
                raise GradcheckError("grad is incorrect type")
            if gradient.shape != leaf.shape:
                raise GradcheckError("grad is incorrect size")

    def _from_zeros(self, results: list[Tensor]) -> tuple[Tensor | None, ...]:
        """The gradients of the leaves when zeros arrive at `results`."""
        zeros = [wrap(np.zeros_like(each._array)) for each in results]
        return grad(results, self.leaves, zeros, allow_unused=True)

    def results_left_out(self) -> None:
        """Check that each result may be left out of the backward pass."""
        for _, result in self._call() if len(self.results) == 1 else ():
            hooks = None if result._record is None else result._record.hooks
            try:
                run_hooks({} if hooks is None else hooks.tensor_hooks, None)
            except RuntimeError as error:
                warnings.warn(_UNDEFINED, stacklevel=3)
                raise GradcheckError(
                    "Expected backward function to handle undefined output grads."
                ) from error
        for missing in range(len(self.results) if len(self.results) > 1 else 0):
            others = [each for i, (_, each) in enumerate(self._call()) if i != missing]
            try:
                found = self._from_zeros(others)
            except RuntimeError as error:
                raise GradcheckError(
                    "Expected backward function to handle undefined output grads."
                ) from error
            if any(each is not None and each._array.any() for each in found):
                raise GradcheckError(
                    "Expected all input grads to be undefined or zero when all output grads are "
                    "undefined or zero."
                )


def _unit_vector(random: np.random.Generator, tensor: Tensor) -> Any:
    """A random direction of non-negative numbers, of length 1, for a tensor's numbers."""
    drawn = random.uniform(size=tensor.numel())
    return drawn / (np.linalg.norm(drawn) or 1.0)


def _index(flat: Any, shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(flat), tuple(shape)))
