"""Generators: where random numbers come from, and the one that serves whoever names none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tinygrad_mnist.engine.device import check_device, device
from tinygrad_mnist.engine.observer import note_untraceable
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.kernels.random_numbers import STATE_BYTES, Stream


class Generator:
    """A stream of random numbers: the one that PyTorch's CPU generator gives for the same seed.

    Whoever draws holds the generator's lock, so threads may share it. Raises NotImplementedError
    for a device other than the CPU. It can be pickled and copied.

    >>> generator = torch.Generator().manual_seed(0)
    >>> torch.rand(3, generator=generator)
    tensor([0.4963, 0.7682, 0.0885])
    """

    __slots__ = ("__weakref__", "_stream")
    __module__ = "tinygrad_mnist.random"

    _stream: Stream

    def __init__(self, device: Any = "cpu") -> None:
        check_device(device)
        self._stream = Stream()

    @property
    def device(self) -> device:
        """Where the numbers are made: the CPU."""
        return device("cpu")

    def manual_seed(self, seed: int, /) -> Generator:
        """Start again at `seed`, -2**63 <= seed < 2**64 (-1 is 2**64 - 1); returns the generator.

        Raises RuntimeError for what is not an int, ValueError for one out of range.
        """
        if type(seed) is not int:
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        if not -(2**63) <= seed < 2**64:
            raise ValueError("Overflow when unpacking long long")
        note_untraceable("a stream of random numbers starts again")
        with self._stream.lock:
            self._stream.reseed(seed % 2**64)
        return self

    def seed(self) -> int:
        """Start again at a seed that nobody can foretell, and return it."""
        seed = _unforeseen_seed()
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """The seed at which the stream started."""
        return self._stream.seed

    def get_state(self) -> Tensor:
        """Where the stream is: a uint8 tensor of 5056 bytes, which PyTorch's `set_state` takes."""
        with self._stream.lock:
            return wrap(self._stream.state())

    def set_state(self, new_state: Tensor, /) -> Generator:
        """Continue where the state was taken, here or by PyTorch; returns the generator.

        Raises TypeError for what is not a uint8 tensor, RuntimeError for one that is no state.
        """
        if not isinstance(new_state, Tensor):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        array = new_state._array
        if array.dtype != np.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        if not array.flags.c_contiguous:
            raise RuntimeError("RNG state must be contiguous")
        if array.size != STATE_BYTES:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {STATE_BYTES} but found the input RNG "
                f"state size to be {array.size}"
            )
        note_untraceable("a stream of random numbers is set")
        with self._stream.lock:
            self._stream.restore(array)
        return self

    def clone_state(self) -> Generator:
        """A new generator that continues as this one would."""
        return Generator().set_state(self.get_state())

    def get_offset(self) -> int:
        """Refused with PyTorch's RuntimeError: only generators of GPUs have an offset."""
        raise RuntimeError("CPU Generator does not use offset")

    def set_offset(self, offset: int, /) -> Generator:
        """Refused with PyTorch's RuntimeError: only generators of GPUs have an offset."""
        raise RuntimeError("CPU Generator does not use offset")

    def __reduce__(self) -> tuple[Any, ...]:
        return Generator, (), self.get_state()._array

    def __setstate__(self, state: Any) -> None:
        self._stream.restore(state)


def _unforeseen_seed() -> int:
    return int.from_bytes(os.urandom(8), "little")


default_generator = Generator()
"""Serves every call that names no generator."""
default_generator._stream.reseed(_unforeseen_seed())


def manual_seed(seed: int) -> Generator:
    """Start the default generator again at `seed`, and return it.

    >>> torch.manual_seed(0).initial_seed()
    0
    >>> torch.randn(2)
    tensor([ 1.5410, -0.2934])
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Start the default generator again at a seed that nobody can foretell, and return it."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed at which the default generator started."""
    note_untraceable("the seed of the default generator is read")
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """Where the default generator is: a uint8 tensor of 5056 bytes, laid out as PyTorch's."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Let the default generator continue where the state was taken, here or by PyTorch."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(
    devices: Iterable[device | str | int] | None = None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: str | None = None,
) -> Iterator[None]:
    """A context that leaves the default generator as it was before; a decorator, too.

    Raises NotImplementedError where `devices` names any: there is only the CPU.

    >>> with torch.random.fork_rng():
    ...     _ = torch.manual_seed(1)
    """
    if not enabled or device_type == "meta":
        yield
        return
    for number in devices or ():
        check_device(f"{device_type or 'cuda'}:{number}")
    state = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(state)
