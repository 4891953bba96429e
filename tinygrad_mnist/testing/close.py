"""`assert_close`: whether values are equal up to rounding, told in PyTorch's words."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist._tensor.creation import as_tensor, tensor
from tinygrad_mnist.dtypes import promote_types
from tinygrad_mnist.ops.elementwise import isclose

Message = str | Callable[[str], str] | None
_TOLERANCES = {"float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5),
               "float64": (1e-7, 1e-7)}  # fmt: skip
"""The relative and the absolute difference that is rounding; none for other types."""
_NUMBERS = (int, float, np.number)


class _Comparison:
    """The settings of a comparison, and at which item of the structures it is."""

    def __init__(self, message: Message, **settings: Any) -> None:
        self.message, self.settings = message, settings
        self.path: tuple[Any, ...] = ()

    def fail(self, text: str, kind: type[Exception] = AssertionError) -> NoReturn:
        """Raise with PyTorch's sentence, or what the user makes of it."""
        if self.path:
            text += f"\n\nThe failure occurred for item {''.join(str([key]) for key in self.path)}"
        raise kind(self.message(text) if callable(self.message) else self.message or text)

    def leaves(self, mine: Any, theirs: Any) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
        """The values at the same places of two structures; AssertionError where these differ."""
        path = self.path
        if all(isinstance(each, Sequence) and not isinstance(each, str) for each in (mine, theirs)):
            if len(mine) != len(theirs):
                self.fail(f"The length of the sequences mismatch: {len(mine)} != {len(theirs)}")
            places: list[Any] = list(range(len(mine)))
        elif isinstance(mine, Mapping) and isinstance(theirs, Mapping):
            missing, extra = set(theirs) - set(mine), set(mine) - set(theirs)
            if missing or extra:
                self.fail(
                    "The keys of the mappings do not match:\n"
                    f"Missing keys in the actual mapping: {sorted(missing)}\n"
                    f"Additional keys in the actual mapping: {sorted(extra)}"
                )
            places = list(mine)
            with contextlib.suppress(TypeError):
                places.sort()
        else:
            yield path, mine, theirs
            return
        for place in places:
            self.path = (*path, place)
            yield from self.leaves(mine[place], theirs[place])

    def compare(self, mine: Any, theirs: Any) -> None:
        """Compare two values that are no structures."""
        related = isinstance(mine, type(theirs)) or isinstance(theirs, type(mine))
        if not self.settings["allow_subclasses"]:
            related = type(mine) is type(theirs)
        if mine is None or theirs is None:
            if mine is not theirs:
                self.fail(f"None mismatch: {mine} is not {theirs}")
        elif isinstance(mine, bool | np.bool_) and isinstance(theirs, bool | np.bool_):
            if bool(mine) is not bool(theirs):
                self.fail(f"Booleans mismatch: {bool(mine)} is not {bool(theirs)}")
        elif isinstance(mine, _NUMBERS) and isinstance(theirs, _NUMBERS):
            kinds = [type(n.item() if isinstance(n, np.number) else n) for n in (mine, theirs)]
            if self.settings["check_dtype"] and kinds[0] is not kinds[1]:
                self.fail(f"The (d)types do not match: {kinds[0]} != {kinds[1]}.")
            precise = {float: dtypes.float64, int: dtypes.int64, bool: dtypes.int64}
            numbers = zip((mine, theirs), kinds, strict=True)
            self._compare_tensors(*(tensor(n, dtype=precise[kind]) for n, kind in numbers))
        else:
            pair = None
            if related:
                with contextlib.suppress(Exception):
                    pair = as_tensor(mine), as_tensor(theirs)
            if pair is None:
                words = f"inputs of type {type(mine)} and {type(theirs)}"
                self.fail(f"No comparison pair was able to handle {words}.", TypeError)
            self._check_attributes(*pair)
            self._compare_tensors(*pair)

    def _check_attributes(self, *pair: Tensor) -> None:
        asked = {"shape": True, "stride()": self.settings["check_stride"],
                 "dtype": self.settings["check_dtype"]}  # fmt: skip
        for name in (name for name, wanted in asked.items() if wanted):
            have, want = (each.stride() if name == "stride()" else getattr(each, name)
                          for each in pair)  # fmt: skip
            if have != want:
                self.fail(f"The values for attribute '{name}' do not match: {have} != {want}.")

    def _compare_tensors(self, mine: Tensor, theirs: Tensor) -> None:
        rtol, atol = self._tolerances(mine, theirs)
        kind = promote_types(mine.dtype, theirs.dtype)
        mine, theirs = (each.detach().to(kind) for each in (mine, theirs))
        nan = self.settings["equal_nan"]
        same = isclose(mine, theirs, rtol=rtol, atol=atol, equal_nan=nan).numpy()
        if same.all():
            return
        exact = rtol == 0 and atol == 0
        rows = _greatest(mine, theirs, same) if mine.shape else _apart(mine.item(), theirs.item())
        if not exact:
            rows[1] += f" (up to {atol} allowed)"
            rows[2] += f" (up to {rtol} allowed)"
        what = "Tensor-likes" if mine.shape else "Scalars"
        text = f"{what} are not {'equal' if exact else 'close'}!\n\n"
        self.fail(text + "\n".join(rows))

    def _tolerances(self, *tensors: Tensor) -> tuple[float, float]:
        """What was given, or the looser of the types' own."""
        rtol, atol = self.settings["rtol"], self.settings["atol"]
        if (rtol is None) is not (atol is None):
            missing = "rtol" if rtol is None else "atol"
            words = "Both 'rtol' and 'atol' must be either specified or omitted, but got no"
            self.fail(f"{words} {missing}.", ValueError)
        if rtol is not None and atol is not None:
            return rtol, atol
        own = [_TOLERANCES.get(str(each.dtype).split(".")[-1], (0.0, 0.0)) for each in tensors]
        return max(rtol for rtol, _ in own), max(atol for _, atol in own)


def _apart(have: float, want: float) -> list[str]:
    """How far two numbers are apart."""
    far = abs(have - want)
    share = far / abs(want) if want else math.inf
    told = f"Absolute difference: {far}", f"Relative difference: {share}"
    return [f"Expected {want} but got {have}.", *told]


def _greatest(mine: Tensor, theirs: Tensor, same: Any) -> list[str]:
    """How many elements differ, and where they differ most."""
    if not mine.is_floating_point():
        mine, theirs = mine.to(dtypes.int64), theirs.to(dtypes.int64)
    wrong = same.size - int(same.sum())
    rows = [f"Mismatched elements: {wrong} / {same.size} ({wrong / same.size:.1%})"]
    difference = np.where(same, 0, (mine - theirs).abs().numpy())
    share = np.where(same, 0, (as_tensor(difference) / theirs.abs()).numpy())
    for name, values in (("absolute", difference), ("relative", share)):
        place = tuple(int(n) for n in np.unravel_index(values.argmax(), same.shape))
        rows.append(f"Greatest {name} difference: {values[place].item()} at index {place}")
    return rows


def assert_close(
    actual: Any, expected: Any, *, allow_subclasses: bool = True, rtol: float | None = None,
    atol: float | None = None, equal_nan: bool = False, check_device: bool = True,
    check_dtype: bool = True, check_layout: bool = True, check_stride: bool = False,
    msg: Message = None,
) -> None:  # fmt: skip
    """AssertionError unless |actual − expected| ≤ atol + rtol · |expected| everywhere.

    Tensors, arrays and numbers are compared, and sequences and mappings of them item by item. The
    tolerances, both or neither given, are those of the types' rounding. Shapes and, if asked, types
    and strides must agree. `msg` replaces the message, or makes another of it.

    >>> torch.testing.assert_close(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0 + 1e-7]))
    >>> torch.testing.assert_close(1, 2)
    Traceback (most recent call last):
        ...
    AssertionError: Scalars are not equal!
    <BLANKLINE>
    Expected 2 but got 1.
    Absolute difference: 1
    Relative difference: 0.5
    """
    comparison = _Comparison(
        msg, allow_subclasses=allow_subclasses, rtol=rtol, atol=atol, equal_nan=equal_nan,
        check_dtype=check_dtype, check_stride=check_stride,
    )  # fmt: skip
    for path, mine, theirs in list(comparison.leaves(actual, expected)):
        comparison.path = path
        comparison.compare(mine, theirs)
