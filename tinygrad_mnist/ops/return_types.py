"""The named pairs that operations return which find numbers and tell where they are."""

from __future__ import annotations

from typing import Any, NamedTuple


class _ValuesAndIndices(NamedTuple):
    values: Any
    indices: Any


class _MinAndMax(NamedTuple):
    min: Any
    max: Any


def _named(name: str, fields: type[Any]) -> type[Any]:
    def representation(pair: Any) -> str:
        lines = [f"{field}={value!r}" for field, value in pair._asdict().items()]
        return f"torch.return_types.{name}(\n" + ",\n".join(lines) + ")"

    return type(name, (fields,), {"__repr__": representation, "__slots__": ()})


RETURN_TYPES = {
    name: _named(name, _ValuesAndIndices)
    for name in (
        "cummax",
        "cummin",
        "kthvalue",
        "max",
        "median",
        "min",
        "mode",
        "nanmedian",
        "sort",
        "topk",
    )
} | {"aminmax": _named("aminmax", _MinAndMax)}


def named_result(name: str, *values: Any) -> Any:
    """The pair that the operation `name` returns; it prints and unpacks as PyTorch's does."""
    return RETURN_TYPES[name](*values)
