"""PyTorch's CPU generator: the Mersenne twister's stream of 32-bit words, its seeds, its state.

Source of the algorithm: Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998), seeded
as in their `init_genrand` of 2002. NumPy turns the twister; here it gets PyTorch's seeds and state.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.random import MT19937

Array = np.ndarray[Any, Any]

DEFAULT_SEED = 67280421310721
"""What PyTorch seeds a new generator with."""

_WORDS = 624
_STATE = np.dtype(
    [
        ("seed", "<u8"),
        ("left", "<i4"),
        ("seeded", "<i4"),
        ("next", "<u8"),
        ("words", "<u8", _WORDS),
        ("normal_x", "<f8"),
        ("normal_y", "<f8"),
        ("normal_rho", "<f8"),
        ("normal_is_valid", "<i4"),
        ("padding", "<i4"),
        ("float_normal", "<f4"),
        ("float_normal_is_valid", "u1"),
        ("more_padding", "u1", 3),
    ]
)
STATE_BYTES = _STATE.itemsize
"""The length of PyTorch's state, 5056 bytes: a struct that C++ lays out as `_STATE` says."""


class Stream:
    """A stream of random words that starts at `seed`, 0 <= seed < 2**64 (its low 32 bits count).

    Whoever draws holds `lock`, so that one call's numbers are neighbours in the stream.
    """

    __slots__ = ("_fresh", "_spare_float", "_twister", "lock", "seed", "spare_normal")

    seed: int
    lock: threading.RLock
    spare_normal: float | None
    """The second half of the last pair of normal numbers that were drawn one by one."""

    def __init__(self, seed: int = DEFAULT_SEED) -> None:
        self.lock = threading.RLock()
        self._twister: MT19937 | None = None
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
