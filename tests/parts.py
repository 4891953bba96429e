"""Tests over many small things, several of them in one test."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import pytest


def in_parts(argument: str, items: Sequence[Any], size: int = 40) -> Callable[[Any], Any]:
    """Parametrize a test, which runs for `size` items one after the other.

    Of what takes a millisecond, a test for each would take longer than what it tests. An error
    names the item that it came at.
    """
    parts = [items[at : at + size] for at in range(0, len(items), size)]

    def decorate(test: Any) -> Any:
        @functools.wraps(test)
        def run(part: int, **fixtures: Any) -> None:
            for item in parts[part]:
                try:
                    test(**{argument: item}, **fixtures)
                except Exception as error:
                    error.add_note(f"{argument} = {getattr(item, 'name', item)}")
                    raise

        given = [
            each.replace(name="part") if name == argument else each
            for name, each in inspect.signature(test).parameters.items()
        ]
        run.__signature__ = inspect.Signature(given)
        return pytest.mark.parametrize("part", range(len(parts)))(run)

    return decorate
