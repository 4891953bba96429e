"""What the kernel tests share: computing with one twin or the other, arrays, distances in ulp."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

import numpy as np
import pytest
from hypothesis import strategies as st

from tinygrad_mnist.kernels import dispatch

TWINS = ("numpy", "numba")
SPECIAL = (0.0, -0.0, 1e4, -1e4, np.inf, -np.inf, np.nan, 1e-30, 1.0)


@contextmanager
def computed_by(twin: str) -> Iterator[None]:
    """Let every kernel compute with this twin, whatever was decided before."""
    if twin == "numba" and not dispatch.warm_up():
        pytest.skip(f"{dispatch.VARIABLE}=numpy leaves the loops out")
    with pytest.MonkeyPatch.context() as patch:
        for loops in (dispatch.base, dispatch.images, dispatch.draws, dispatch.small):
            if twin == "numba":
                loops.switch()
            patch.setattr(loops, "undecided", False)
            patch.setattr(loops, "on", twin == "numba")
        with np.errstate(all="ignore"):  # as the engine calls them
            yield


def ulps(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest distance in units of the last place; infinite where NaN or inf differ."""
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    equal = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    if equal.all():
        return 0.0
    ours, theirs = ours[~equal].astype(np.longdouble), theirs[~equal]
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return float("inf")
    return float((np.abs(ours - theirs) / np.spacing(np.abs(theirs))).max())


def noting(patch: pytest.MonkeyPatch, module: ModuleType, names: tuple[str, ...]) -> list[str]:
    """A list to which each call of one of these loops of a module adds its name."""
    called: list[str] = []

    def noted(name: str, loop: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            result = loop(*arguments)
            called.append(name)
            return result

        return call

    for name in names:
        patch.setattr(module, name, noted(name, getattr(module, name)))
    return called


def laid_out(array: np.ndarray, layout: str) -> np.ndarray:
    """The same numbers: in one piece, transposed, strided, read-only, or between two words."""
    if layout == "transposed":
        return np.ascontiguousarray(array.T).T
    if layout == "strided":
        return np.repeat(array, 2, axis=-1)[..., ::2]
    if layout == "unaligned":
        raw = np.frombuffer(b"\0" + array.tobytes(), np.uint8)[1:]
        return raw.view(array.dtype).reshape(array.shape) if array.size else array
    if layout == "read-only":
        array = array.copy()
        array.flags.writeable = False
    return array


dtypes = st.sampled_from([np.float32, np.float64])
layouts = st.sampled_from(
    ["contiguous", "contiguous", "transposed", "strided", "read-only", "unaligned"]
)


@st.composite
def matrices(draw: st.DrawFn, special: bool = True) -> np.ndarray:
    """Matrices of 0 to 20 rows and 1 to 12 columns, some numbers of which are extreme."""
    shape = draw(st.tuples(st.integers(0, 20), st.integers(1, 12)))
    dtype = draw(dtypes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    array = (rng.standard_normal(shape) * draw(st.sampled_from([0.1, 3, 50]))).astype(dtype)
    if special and array.size:
        places = draw(st.lists(st.integers(0, array.size - 1), max_size=6))
        for place in places:
            array.flat[place] = draw(st.sampled_from(SPECIAL))
    return laid_out(array, draw(layouts))


__all__ = ["SPECIAL", "TWINS", "computed_by", "dtypes", "laid_out", "matrices", "ulps"]
