"""The random numbers drawn most, in compiled loops: bit for bit those of `random_numbers`.

`twister` is the memory of NumPy's Mersenne twister: its 624 words, and how many of them are spent.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dispatch

Array = np.ndarray[Any, Any]

_WORDS, _MIDDLE = 624, 397


@dispatch.draws.part()
def _turn(twister: Array) -> None:
    """The next 624 words. Source: Matsumoto and Nishimura, as `random_numbers` says."""
    for i in range(_WORDS):
        j, k = i + 1, i + _MIDDLE
        mixed = (twister[i] & np.uint32(0x80000000)) | (
            twister[j if j < _WORDS else 0] & np.uint32(0x7FFFFFFF)
        )
        odd = np.uint32(0x9908B0DF) if mixed & np.uint32(1) else np.uint32(0)
        twister[i] = twister[k if k < _WORDS else k - _WORDS] ^ (mixed >> np.uint32(1)) ^ odd
    twister[_WORDS] = 0


@dispatch.draws.part()
def _ready(twister: Array, wanted: int) -> Any:
    """How many of so many words are there to be read now, and where they begin; they are spent."""
    if twister[_WORDS] >= _WORDS:
        _turn(twister)
    start: Any = np.int64(twister[_WORDS])
    count = min(wanted, _WORDS - start)
    twister[_WORDS] = start + count
    return start, count


@dispatch.draws.part()
def _tempered(word: Any) -> Any:
    word ^= word >> np.uint32(11)
    word ^= (word << np.uint32(7)) & np.uint32(0x9D2C5680)
    word ^= (word << np.uint32(15)) & np.uint32(0xEFC60000)
    return word ^ (word >> np.uint32(18))


@dispatch.draws.part()
def _word(twister: Array) -> Any:
    start, _ = _ready(twister, 1)
    return _tempered(twister[start])


@dispatch.draws.part()
def draw_double(twister: Array) -> Any:
    """53 bits of two words."""
    high = np.uint64(_word(twister)) << np.uint64(32)
    word = (high | np.uint64(_word(twister))) & np.uint64((1 << 53) - 1)
    return np.int64(word) * 2.0**-53


@dispatch.draws.part(fastmath={"contract"})
def product_plus(x: Any, y: Any, z: Any) -> Any:
    """x·y + z, rounded once."""
    return x * y + z


@dispatch.draws.loop("void(uint32[::1], float32[::1])")
def uniform_floats(twister: Array, out: Array) -> None:
    """24 bits of a word each."""
    done = 0
    while done < out.size:
        start, count = _ready(twister, out.size - done)
        for i in range(count):
            bits = np.int32(_tempered(twister[start + i]) & np.uint32((1 << 24) - 1))
            out[done + i] = np.float32(bits) * np.float32(2.0**-24)
        done += count


@dispatch.draws.loop("void(uint32[::1], float64[::1])")
def uniform_doubles(twister: Array, out: Array) -> None:
    """53 bits of two words each."""
    for i in range(out.size):
        out[i] = draw_double(twister)


@dispatch.draws.loop("void(uint32[::1], int64[::1], int64, uint64)")
def whole_numbers(twister: Array, out: Array, low: int, count: int) -> None:
    """low + a word modulo `count`."""
    for i in range(out.size):
        out[i] = low + np.int64(np.uint64(_word(twister)) % count)


@dispatch.draws.loop("void(uint32[::1], int64[::1])")
def shuffled(twister: Array, out: Array) -> None:
    """0, 1, … in random order, by Fisher and Yates' exchanges."""
    for i in range(out.size):
        out[i] = i
    for i in range(out.size - 1):
        j = i + np.int64(np.uint32(_word(twister)) % np.uint32(out.size - i))
        out[i], out[j] = out[j], out[i]
