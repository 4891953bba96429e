"""JAX, traced call by call or compiled: functions of arrays, `custom_vjp` and `custom_jvp`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .framework import Array, Framework, Function, Pull

__all__ = ["Jax", "JaxJit"]


class Jax(Framework):
    """`jax.vjp`, with dtypes as they are given: of 64 bits as well."""

    name = package = "jax"
    install = "pip install jax"

    @contextlib.contextmanager
    def _exact(self) -> Iterator[Any]:
        """Keep dtypes of 64 bits, which JAX cuts to 32 unless it is told; the package."""
        jax = self.module
        if hasattr(jax, "enable_x64"):
            keeping = jax.enable_x64(True)
        else:
            keeping = __import__("jax.experimental", fromlist=["enable_x64"]).enable_x64(True)
        with keeping:
            yield jax

    def owns(self, value: object) -> bool:
        """Whether a value is an array of JAX's, traced or not."""
        return isinstance(value, self.module.Array)

    def tensor(self, array: Array) -> Any:
        """An array of JAX's."""
        with self._exact() as jax:
            return jax.numpy.array(array)

    def call(self, function: Function, arrays: Sequence[Array]) -> Any:
        """What the function gives."""
        with self._exact() as jax:
            return self._run(function)(*[jax.numpy.array(each) for each in arrays])

    def vjp(self, function: Function, arrays: Sequence[Array]) -> tuple[Any, Pull]:
        """By `jax.vjp` with respect to the inputs of floating point."""
        with self._exact() as jax:
            inputs = [jax.numpy.array(each) for each in arrays]
            places = [i for i, each in enumerate(arrays) if each.dtype.kind == "f"]
            some = self._of_some(function, inputs, places)
            _, back, result = jax.vjp(some, *[inputs[i] for i in places], has_aux=True)

        def pull(above: Sequence[Array]) -> list[Array | None]:
            with self._exact() as jax:
                found = back([jax.numpy.array(each) for each in above])
            gradients: list[Array | None] = [None] * len(arrays)
            for place, gradient in zip(places, found, strict=True):
                gradients[place] = np.asarray(gradient)
            return gradients

        return result, pull

    def jvp(
        self, function: Function, arrays: Sequence[Array], tangents: Sequence[Array]
    ) -> list[Array]:
        """By `jax.jvp`; TypeError for a custom_vjp, which has no forward mode."""
        with self._exact() as jax:
            inputs = [jax.numpy.array(each) for each in arrays]
            places = [i for i, each in enumerate(arrays) if each.dtype.kind == "f"]
            some = self._of_some(function, inputs, places)
            primals = [inputs[i] for i in places]
            directions = [jax.numpy.array(tangents[i]) for i in places]
            _, found, _ = jax.jvp(some, primals, directions, has_aux=True)
            return [np.asarray(each) for each in found]

    def gradients(self, function: Function, arrays: Sequence[Array]) -> tuple[Function, int]:
        """By `jax.vjp` of `jax.vjp`."""
        places = [i for i, each in enumerate(arrays) if each.dtype.kind == "f"]
        with self._exact() as jax:
            inputs = [jax.numpy.array(each) for each in arrays]
            results = len(self.floats(self._run(function)(*inputs)))

        def gradients(*given: Any) -> tuple[Any, ...]:
            some = self._of_some(function, list(given[: len(arrays)]), places)
            _, back, _ = self.module.vjp(some, *[given[i] for i in places], has_aux=True)
            return tuple(back(list(given[len(arrays) :])))

        return gradients, results

    def _of_some(self, function: Function, inputs: list[Any], places: list[int]) -> Function:
        """The function of the inputs at some places; its results of floating point, and all."""
        run = self._run(function)

        def some(*given: Any) -> tuple[list[Any], Any]:
            arguments = list(inputs)
            for place, each in zip(places, given, strict=True):
                arguments[place] = each
            result = run(*arguments)
            return self.floats(result), result

        return some

    def _run(self, function: Function) -> Function:
        return function


class JaxJit(Jax):
    """JAX, the function compiled."""

    name = "jax-jit"
    traced = True

    def _run(self, function: Function) -> Function:
        compiled: Function = self.module.jit(function)
        return compiled
