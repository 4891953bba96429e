"""How a tensor prints: PyTorch's text, character for character.

One format serves all elements, chosen from those that are shown: whole numbers (`3.`), fixed
point (`0.3333`) or scientific (`3.3333e-01`). They are padded into columns and folded into lines;
when there are many, only the edges of each dimension are touched and "..." stands for the rest.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.modes import backward_mode

__all__ = ["get_printoptions", "printoptions", "set_printoptions"]

Array = np.ndarray[Any, Any]


class PrintOptions:
    """What `set_printoptions` sets, with PyTorch's defaults."""

    def __init__(self) -> None:
        self.precision = 4
        self.threshold: float = 1000
        self.edgeitems = 3
        self.linewidth = 80
        self.sci_mode: bool | None = None


PRINT_OPTS = PrintOptions()

_PROFILES: dict[str | None, dict[str, float]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Choose how tensors print; what is not named keeps its value, except `sci_mode`.

    Args:
        precision: digits after the decimal point (4 at the start).
        threshold: a tensor of more elements is summarised (1000 at the start).
        edgeitems: elements shown at each end of a summarised dimension (3 at the start).
        linewidth: columns before a line is folded (80 at the start).
        profile: "default", "short" or "full", a set of the four above to begin from.
        sci_mode: True or False to force or forbid scientific notation; None, also when it is
            not named, lets the numbers decide.

    >>> torch.set_printoptions(precision=2)
    >>> torch.tensor([1.12345])
    tensor([1.12])
    >>> torch.set_printoptions(profile="default")
    >>> torch.tensor([1.12345])
    tensor([1.1235])
    """
    named = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    chosen = {option: value for option, value in named.items() if value is not None}
    for option, value in {**_PROFILES.get(profile, {}), **chosen}.items():
        setattr(PRINT_OPTS, option, value)
    PRINT_OPTS.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """The options in force, as keyword arguments for `set_printoptions`."""
    return dict(vars(PRINT_OPTS))


@contextlib.contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Print as `set_printoptions(**options)` says, until the `with` block ends.

    >>> with printoptions(precision=2):
    ...     print(format_tensor(np.array([1.12345], np.float32)))
    tensor([1.12])
    """
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


def tensor_repr(tensor: Any, *, tensor_contents: str | None = None) -> str:
    """The text of a tensor: its elements, its type unless obvious, and its part in a graph.

    A subclass prints under its own name. `tensor_contents` replaces the elements.
    """
    suffixes = []
    try:
        record = tensor.grad_fn
        name = None if record is None else type(record).__name__
    except RuntimeError:  # for a view that was changed where it could not be followed
        name = "Invalid"
    if name is not None:
        suffixes.append(f"grad_fn=<{name}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    for level in backward_mode.levels[-1:]:
        tangent = level.tangent(tensor)
        if tangent is not None:
            suffixes.append(f"tangent={tangent}")
    kind = type(tensor).__name__
    name = "tensor" if kind in {"Tensor", "Parameter"} else kind
    return format_tensor(tensor._array, suffixes=suffixes, name=name, contents=tensor_contents)


def parameter_repr(parameter: Any) -> str:
    """The text of an `nn.Parameter`: that of a tensor under a line that names it."""
    text = tensor_repr(parameter)
    if type(parameter).__name__ != "Parameter":
        text = f"Parameter({text})"
    return f"Parameter containing:\n{text}"


def tensor_format(tensor: Any, format_spec: str) -> str:
    """What `format(tensor, format_spec)` gives: of a 0-d tensor its number, otherwise its text.

    Raises TypeError when a specification is given for anything but a plain 0-d tensor.
    """
    if tensor._array.ndim == 0 and type(tensor).__name__ == "Tensor":
        return format(tensor._array.item(), format_spec)
    return object.__format__(tensor, format_spec)


def format_tensor(
    array: Array,
    *,
    suffixes: Sequence[str] = (),
    name: str = "tensor",
    contents: str | None = None,
) -> str:
    """What PyTorch prints for a tensor that holds `array`.

    Args:
        array: elements of any shape and any type in `dtypes`.
        suffixes: what to say after size and dtype, such as "requires_grad=True".
        name: what stands before the parenthesis.
        contents: the text of the elements, where it is not to be made here.

    >>> format_tensor(np.array([1.0, 0.5]), suffixes=["requires_grad=True"])
    'tensor([1.0000, 0.5000], dtype=torch.float64, requires_grad=True)'
    """
    opening = f"{name}("
    if contents is None:
        contents = _elements_text(array, indent=len(opening))
    described = [*_size_and_dtype(array), *suffixes]
    return _append_suffixes(opening + contents, described, indent=len(opening)) + ")"


def _size_and_dtype(array: Array) -> list[str]:
    """What the elements alone would not tell: "size=(0, 3)", "dtype=torch.int32"."""
    kind = dtypes.from_numpy_dtype(array.dtype)
    obvious = {dtypes.get_default_dtype()}
    if array.size:
        obvious |= {dtypes.int64, dtypes.bool}
        shape_shows = PRINT_OPTS.edgeitems != 0
    else:
        shape_shows = array.ndim == 1
    described = [] if shape_shows else [f"size={array.shape}"]
    return described if kind in obvious else [*described, f"dtype={kind}"]


def _append_suffixes(text: str, suffixes: Sequence[str], indent: int) -> str:
    """Add each suffix to the last line, or below it where the line would grow too long."""
    # PyTorch counts the last line of the elements two columns longer than it is.
    column = len(text.rpartition("\n")[2]) + 2
    for suffix in suffixes:
        column += len(suffix) + 2
        if column > PRINT_OPTS.linewidth:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
    return text


def _elements_text(array: Array, indent: int) -> str:
    """The elements in nested brackets; `indent` is the column where they begin."""
    if array.size == 0:
        return "[]"
    shown = _edges(array) if array.size > PRINT_OPTS.threshold else array
    elided = tuple(part < size for part, size in zip(shown.shape, array.shape, strict=True))
    flat_texts, width = _number_texts(shown)
    texts = np.empty(len(flat_texts), dtype=object)
    texts[:] = [text.rjust(width) for text in flat_texts]
    return _nested_text(texts.reshape(shown.shape), elided, width, indent)


def _edges(array: Array) -> Array:
    """The first and last `edgeitems` along each dimension that is longer than both together."""
    edge = PRINT_OPTS.edgeitems
    kept = [
        [*range(edge), *range(size - edge, size)] if size > 2 * edge else range(size)
        for size in array.shape
    ]
    return array[np.ix_(*[np.array(each, dtype=np.intp) for each in kept])]


def _number_texts(shown: Array) -> tuple[list[str], int]:
    """Each number in the format that suits them all, and the width of a column.

    Zeros and what is not finite have no say in format and width, as in PyTorch.
    """
    # Python's floats are doubles, as PyTorch prints them, and never raise a warning.
    numbers = shown.ravel().tolist()
    if shown.dtype.kind not in dtypes.FLOATS:
        texts = [str(number) for number in numbers]
        return texts, max(map(len, texts), default=1)
    deciding = [number for number in numbers if number and math.isfinite(number)]
    spec, point = _number_format(deciding)
    texts = [format(number, spec) + (point if math.isfinite(number) else "") for number in numbers]
    width = max((len(format(number, spec)) for number in deciding), default=0) + len(point)
    return texts, width


def _number_format(numbers: list[float]) -> tuple[str, str]:
    """The format specification that suits the numbers, and "." where it leaves no point."""
    if numbers and _is_scientific(numbers):
        return f".{PRINT_OPTS.precision}e", ""
    if all(number.is_integer() for number in numbers):
        return ".0f", "."
    return f".{PRINT_OPTS.precision}f", ""


def _is_scientific(numbers: list[float]) -> bool:
    """Whether the numbers are too large, too small or too far apart for fixed point."""
    if PRINT_OPTS.sci_mode is not None:
        return PRINT_OPTS.sci_mode
    magnitudes = [abs(number) for number in numbers]
    smallest = min(magnitudes)
    largest = max(magnitudes)
    return largest / smallest > 1000 or largest > 1e8 or smallest < 1e-4


def _nested_text(texts: Array, elided: tuple[bool, ...], width: int, indent: int) -> str:
    """Brackets around the texts along every dimension, "..." where `elided` says so."""
    if texts.ndim == 0:
        return str(texts.item())
    if texts.ndim == 1:
        return "[" + _columns(texts.tolist(), elided[0], width, indent) + "]"
    parts = [_nested_text(part, elided[1:], width, indent + 1) for part in texts]
    if elided[0]:
        parts.insert(PRINT_OPTS.edgeitems, "...")
    separator = "," + "\n" * (texts.ndim - 1) + " " * (indent + 1)
    return "[" + separator.join(parts) + "]"


def _columns(texts: list[str], elided: bool, width: int, indent: int) -> str:
    """Columns of `width` joined by commas, as many to a line as `linewidth` admits."""
    if elided:
        texts.insert(PRINT_OPTS.edgeitems, " ..." if texts else "...")
    per_line = max(1, math.floor((PRINT_OPTS.linewidth - indent) / (width + 2)))
    starts = range(0, len(texts), per_line)
    lines = [", ".join(texts[start : start + per_line]) for start in starts]
    return (",\n" + " " * (indent + 1)).join(lines)
