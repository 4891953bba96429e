"""Random numbers, PyTorch's CPU numbers to the last bit: the stream, and what is drawn from it.

The stream of 32-bit words is the Mersenne twister's, with PyTorch's seeds and state. Source:
Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998), seeded as in their `init_genrand`
of 2002.

Each distribution fills `out` in place, in the order in which it lies in memory, as PyTorch does;
`out` may be any view whose elements do not overlap. Parameters are taken to be in range. In the
formulas u is a uniform number from [0, 1): 24 bits of one word in float32, 53 of two in float64.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import dispatch, random_loops
from . import normal_numbers as normals
from .locks import held_through_fork
from .normal_numbers import BLOCK, elementwise, multiply_add, normal_blocks, normal_pairs

if TYPE_CHECKING:
    from numpy.random import MT19937

Array = np.ndarray[Any, Any]

DEFAULT_SEED = 67280421310721
"""What PyTorch seeds a new generator with."""

_WORDS = 624
_STATE = np.dtype([
    ("seed", "<u8"), ("left", "<i4"), ("seeded", "<i4"), ("next", "<u8"), ("words", "<u8", _WORDS),
    ("normal_x", "<f8"), ("normal_y", "<f8"), ("normal_rho", "<f8"), ("normal_is_valid", "<i4"),
    ("padding", "<i4"), ("float_normal", "<f4"), ("float_normal_is_valid", "u1"),
    ("more_padding", "u1", 3),
])  # fmt: skip
STATE_BYTES = _STATE.itemsize
"""The length of PyTorch's state, 5056 bytes: a struct that C++ lays out as `_STATE` says."""


class Stream:
    """A stream of random words that starts at `seed`, 0 <= seed < 2**64 (its low 32 bits count).

    Whoever draws holds its `lock`, so that one call's numbers are neighbours in it.
    """

    __slots__ = ("_fresh", "_memory", "_spare_float", "_twister", "lock", "seed", "spare_normal")

    seed: int
    lock: threading.RLock
    spare_normal: float | None
    """The second half of the last pair of normal numbers that were drawn one by one."""

    def __init__(self, seed: int = DEFAULT_SEED) -> None:
        self.lock = held_through_fork(threading.RLock())
        self._twister: MT19937 | None = None
        self._memory: Array | None = None
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Start again at `seed`."""
        self.seed = seed
        self.spare_normal = None
        self._spare_float: float | None = None
        self._fresh = True
        if self._twister is not None:
            self._start(self._twister)

    def _start(self, twister: MT19937) -> None:
        np.random.RandomState(twister).seed(self.seed & 0xFFFFFFFF)

    def _turning(self) -> MT19937:
        """NumPy's twister, made on first use: importing numpy.random takes its time."""
        if self._twister is None:
            self._twister = np.random.MT19937()
            self._start(self._twister)
        return self._twister

    def memory(self) -> Array:
        """Where NumPy's twister keeps its words and how many are spent, for loops that draw."""
        if self._memory is None:
            import ctypes

            address = self._turning().ctypes.state_address
            words: Any = (ctypes.c_uint32 * (_WORDS + 1)).from_address(address)
            self._memory = np.frombuffer(words, np.uint32)
        self._fresh = False
        return self._memory

    def words(self, count: int) -> Array:
        """The next `count` words, each below 2**32, as uint64."""
        twister = self._turning()
        self._fresh = self._fresh and count == 0
        return twister.random_raw(count)

    def double_words(self, count: int) -> Array:
        """`count` numbers of 64 bits, each of two words, the high one first."""
        words = self.words(2 * count)
        high = words[::2] << np.uint64(32)
        high |= words[1::2]
        return high

    def state(self) -> Array:
        """PyTorch's state: 5056 bytes, uint8."""
        twister = self._turning().state["state"]
        position = int(twister["pos"])
        state = np.zeros((), _STATE)
        state["seed"] = self.seed
        state["left"] = _WORDS + 1 - position
        state["seeded"] = 1
        state["next"] = 0 if self._fresh else position
        state["words"] = twister["key"]
        if self.spare_normal is not None:
            state["normal_is_valid"] = 1
            state["normal_y"] = self.spare_normal
        if self._spare_float is not None:
            state["float_normal_is_valid"] = 1
            state["float_normal"] = self._spare_float
        return np.frombuffer(state.tobytes(), np.uint8).copy()

    def restore(self, state: Array) -> None:
        """Continue where the stream was that gave `state`; RuntimeError where none can have."""
        fields = np.frombuffer(state.tobytes(), _STATE)[0]
        left, following = int(fields["left"]), int(fields["next"])
        spent = left == 1
        if not fields["seeded"] or not (spent or 1 < left == _WORDS + 1 - following):
            raise RuntimeError("Invalid mt19937 state")
        key = fields["words"].astype(np.uint32)
        position = _WORDS if spent else following
        twister = self._turning()
        twister.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": position}}
        self.seed = int(fields["seed"])
        self._fresh = spent and following == 0
        self.spare_normal = float(fields["normal_y"]) if fields["normal_is_valid"] else None
        valid = fields["float_normal_is_valid"]
        self._spare_float = float(fields["float_normal"]) if valid else None


# Distributions.

Draw = Callable[[int], Array]
"""Gives so many numbers, the next ones of a stream."""

_FLOAT, _DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
_CHUNK = 1 << 15
"""Numbers drawn at a time: enough of them for NumPy, few enough for the cache."""


def _looping(out: Array, dtype: np.dtype[Any]) -> bool:
    """Whether loops fill an array, with what they have for a dtype."""
    loops, flags = dispatch.draws, out.flags
    return (
        (loops.on or loops.consider(out.size)) and dtype in dispatch.FLOATS
        and flags.c_contiguous and flags.writeable and out.size > 0
    )  # fmt: skip


def _uniform_loop(stream: Stream, out: Array) -> None:
    floats = out.itemsize == 4
    loop = random_loops.uniform_floats if floats else random_loops.uniform_doubles
    loop(stream.memory(), out)


def uniform(stream: Stream, out: Array, low: float = 0.0, high: float = 1.0) -> None:
    """u · (high - low) + low, in out's dtype; in float32 and rounded for one of 16 bits."""
    if low == 0 and high == 1 and _looping(out, out.dtype):
        _uniform_loop(stream, out.reshape(-1))
        return
    kind = _FLOAT if out.itemsize == 2 else out.dtype
    start: Any = kind.type(low)
    end: Any = kind.type(high)
    standard = _uniform_draw(stream, kind)

    def draw(count: int) -> Array:
        numbers = multiply_add(standard(count), end - start, start).astype(out.dtype, copy=False)
        # Rounding may reach the end, which is no number of the interval.
        numbers[numbers == out.dtype.type(end)] = start
        return numbers

    _fill(out, draw if (start, end) != (0, 1) or kind != out.dtype else standard)


def normal(stream: Stream, out: Array, mean: float = 0.0, std: float = 1.0) -> None:
    """Normal numbers: 16 or more in contiguous memory block by block, others pair by pair."""
    if out.size < BLOCK or not out.flags.c_contiguous:
        if mean == 0 and std == 1 and _looping(out, out.dtype):
            out.reshape(-1)[:] = _normal_one_by_one(stream, out.size, mean, std)
            return
        _fill(out, lambda count: _normal_one_by_one(stream, count, mean, std))
        return
    flat = out.reshape(-1)
    if _looping(out, out.dtype):
        loop = normals.normal_floats if out.itemsize == 4 else normals.normal_doubles
        loop(stream.memory(), flat, mean, std)
        return
    draw = _uniform_draw(stream, out.dtype)
    in_blocks = out.size // BLOCK * BLOCK
    _fill(flat[:in_blocks], lambda count: normal_blocks(draw(count), mean, std))
    if in_blocks < out.size:
        # PyTorch draws for the incomplete block, too, save for types of 16 bits, and then computes
        # the last 16 numbers anew.
        if out.itemsize != 2:
            draw(out.size - in_blocks)
        flat[-BLOCK:] = normal_blocks(draw(BLOCK), mean, std)


def log_normal(stream: Stream, out: Array, mean: float, std: float) -> None:
    """eˣ for a normal number x."""

    def draw(count: int) -> Array:
        return elementwise(_exp, _normal_one_by_one(stream, count, mean, std))

    _fill(out, draw)


def cauchy(stream: Stream, out: Array, median: float, sigma: float) -> None:
    """median + sigma · tan π(u - ½)."""

    def draw(count: int) -> Array:
        angle = math.pi * (_doubles(stream, count) - 0.5)
        return multiply_add(elementwise(math.tan, angle), sigma, median)

    _fill(out, draw)


def exponential(stream: Stream, out: Array, rate: float) -> None:
    """-ln(1 - u) / rate."""
    _fill(out, lambda count: -1 / rate * elementwise(math.log1p, -_doubles(stream, count)))


def geometric(stream: Stream, out: Array, p: float) -> None:
    """⌈ln u / ln(1 - p)⌉: the number of trials up to the first success of probability p."""
    _fill(out, lambda count: np.ceil(np.log(_doubles(stream, count)) / math.log1p(-p)))


def bernoulli(stream: Stream, out: Array, p: float | Array) -> None:
    """1 where u < p, else 0; an array `p` has out's shape, and its dtype is u's.

    Where PyTorch is built with MKL and the processor is Intel's, it draws for a scalar p from a
    stream of MKL's instead, which is not followed here.
    """
    if isinstance(p, np.ndarray):
        drawn = _uniform_draw(stream, p.dtype)(out.size)
        if out.flags.c_contiguous:
            np.less(drawn.reshape(p.shape), p, out=out, casting="unsafe")
            return
        axes = _memory_order(out)
        ordered = out.transpose(axes)
        ordered[...] = drawn.reshape(ordered.shape) < p.transpose(axes)
        return
    threshold = np.uint64(math.ceil(p * 2.0**53))
    _fill(out, lambda count: (stream.double_words(count) & _MANTISSA) < threshold)


def integers(stream: Stream, out: Array, low: int, count: int) -> None:
    """Whole numbers from [low, low + count), 0 < count <= 2**64, modulo 2**64.

    Each takes one word of the stream, or two where `count` is 2**28 or more.
    """
    if count < 1 << 28 and out.dtype == np.int64 and _looping(out, _DOUBLE):
        random_loops.whole_numbers(stream.memory(), out.reshape(-1), low, count)
        return
    words = stream.double_words if count >= 1 << 28 else stream.words

    def draw(amount: int) -> Array:
        numbers = _remainder(words(amount), count).view(np.int64)
        numbers += np.int64(low)
        return numbers

    _fill(out, draw)


def whole_range(stream: Stream, out: Array) -> None:
    """Whole numbers from 0 to the largest of out's dtype below which it has no gaps."""
    dtype = out.dtype
    if dtype.kind == "b":
        largest = 1
    elif dtype.kind == "f":
        largest = 1 << (np.finfo(dtype).nmant + 1)
    else:
        largest = np.iinfo(dtype).max
    words = stream.double_words if dtype.itemsize == 8 else stream.words
    _fill(out, lambda amount: _remainder(words(amount), largest + 1))


def _remainder(numbers: Array, count: int) -> Array:
    """numbers % count, in place."""
    if count & (count - 1) == 0:
        numbers &= np.uint64(count - 1)
    else:
        numbers %= np.uint64(count)
    return numbers


def _memory_order(out: Array) -> list[int]:
    """out's axes, the one with the largest strides first."""
    return sorted(range(out.ndim), key=lambda axis: -out.strides[axis])


@np.errstate(all="ignore")
def _fill(out: Array, draw: Draw) -> None:
    ordered = out if out.flags.c_contiguous else out.transpose(_memory_order(out))
    contiguous = ordered.flags.c_contiguous
    flat = ordered.reshape(-1) if contiguous else np.empty(out.size, out.dtype)
    for start in range(0, flat.size, _CHUNK):
        part = flat[start : start + _CHUNK]
        part[...] = draw(part.size)
    if not contiguous:
        ordered[...] = flat.reshape(ordered.shape)


_MANTISSA = np.uint64((1 << 53) - 1)
_FLOAT_MANTISSA = np.uint32((1 << 24) - 1)
_FLOAT_STEP = np.float32(2.0**-24)


def _uniform_draw(stream: Stream, dtype: np.dtype[Any]) -> Draw:
    number = _doubles if dtype == np.float64 else _floats
    return lambda count: number(stream, count)


def _floats(stream: Stream, count: int) -> Array:
    if _looping(numbers := np.empty(count, np.float32), _FLOAT):
        _uniform_loop(stream, numbers)
        return numbers
    words = stream.words(count).astype(np.uint32)
    words &= _FLOAT_MANTISSA
    numbers = words.view(np.int32).astype(np.float32)
    numbers *= _FLOAT_STEP
    return numbers


def _doubles(stream: Stream, count: int) -> Array:
    if _looping(numbers := np.empty(count), _DOUBLE):
        _uniform_loop(stream, numbers)
        return numbers
    words = stream.double_words(count)
    words &= _MANTISSA
    return words.view(np.int64) * 2.0**-53


def _normal_one_by_one(stream: Stream, count: int, mean: float, std: float) -> Array:
    """`count` float64 numbers; the half of a pair that is left over is the stream's next one."""
    spare = stream.spare_normal
    if _looping(numbers := np.empty(count), _DOUBLE):
        left = math.nan if spare is None else spare
        left = normals.normal_in_pairs(stream.memory(), numbers, mean, std, left)
        stream.spare_normal = None if left != left else left
        return numbers
    missing = count if spare is None else count - 1
    numbers = normal_pairs(_doubles(stream, missing + missing % 2))
    if spare is not None:
        numbers = np.concatenate([[spare], numbers])
    stream.spare_normal = float(numbers[count]) if numbers.size > count else None
    return multiply_add(numbers[:count], std, mean)


def _exp(x: float) -> float:
    """eˣ, infinite where Python raises OverflowError."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


# Selections: a permutation, and categories drawn by their probabilities.


LONGEST_PERMUTATION = (2**32 - 1) // 20 - 1
"""Longer ones PyTorch draws in another way, which is not followed here."""


def permutation(stream: Stream, length: int) -> Array:
    """0, 1, …, length - 1 in random order, int64, by Fisher and Yates' exchanges."""
    if length > 1 and _looping(order := np.empty(length, np.int64), _DOUBLE):
        random_loops.shuffled(stream.memory(), order)
        return order
    places = np.arange(length)
    choices = (length - places).astype(np.uint64)
    partners = places.copy()
    partners[:-1] += (stream.words(max(length - 1, 0)) % choices[:-1]).view(np.int64)
    return _exchanged(places, partners)


def _exchanged(places: Array, partners: Array) -> Array:
    """The list 0, 1, … after exchanging the places i and partners[i] >= i, for each i in order.

    Without a loop. Place i is final after step i: it got what lay at its partner's place t, which
    is what the last step with the same partner put there, or t itself if there was none. A step j
    puts there what lay at place j: `found[j]`, which in turn the last step with partner j < t put
    at j, and so on back to a place that no step had touched.
    """
    moved = partners > places
    found = places.copy()
    # Of several steps with one partner, the last assignment stays.
    found[partners[moved]] = places[moved]
    while True:
        earlier = found[found]
        if np.array_equal(earlier, found):
            break
        found = earlier
    by_partner = _stable_order(partners)
    again = partners[by_partner[1:]] == partners[by_partner[:-1]]
    result = partners.copy()
    result[by_partner[1:][again]] = found[by_partner[:-1][again]]
    return np.where(moved, result, found)


def _stable_order(keys: Array) -> Array:
    """np.argsort(keys, kind="stable") for 0 <= keys < 2**32, 16 bits at a time: a radix sort."""
    order = np.argsort(keys.astype(np.uint16), kind="stable")
    if keys.size > 1 << 16:
        order = order[np.argsort((keys >> 16).astype(np.uint16)[order], kind="stable")]
    return order


@np.errstate(all="ignore")
def categories_without_replacement(stream: Stream, weights: Array, samples: int) -> Array:
    """(…, categories) -> (…, samples) of int64: the largest of wᵢ / eᵢ for exponential eᵢ.

    Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006).
    """
    rates = np.empty_like(weights)
    exponential(stream, rates, 1.0)
    scores = weights / rates
    if samples == 1:
        best: Array = np.argmax(scores, axis=-1, keepdims=True)
        return best
    best_first: Array = np.argsort(-scores, axis=-1, kind="stable")
    return best_first[..., :samples].copy()


def categories_with_replacement(stream: Stream, weights: Array, samples: int) -> Array:
    """(…, categories) -> (…, samples), int64: for each u the first i with w₀ + … + wᵢ >= u Σ w."""
    rows = weights.reshape(-1, weights.shape[-1])
    drawn = np.empty((len(rows), samples))
    uniform(stream, drawn)
    cumulative = np.cumsum(rows, axis=-1, dtype=weights.dtype)
    cumulative /= cumulative[:, -1:].copy()
    cumulative[:, -1] = 1
    bounds = cumulative.astype(np.float64)
    chosen = [np.searchsorted(row, u) for row, u in zip(bounds, drawn, strict=True)]
    return np.array(chosen, np.int64).reshape(*weights.shape[:-1], samples)
