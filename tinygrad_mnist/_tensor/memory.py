"""What may be written where: memory that is shared inside an array, or between two."""

from __future__ import annotations

from tinygrad_mnist.engine.record import Array

_CLONE = "Please clone() the tensor before performing the operation."


def writeable(array: Array, *, overlapping: bool = False) -> Array:
    """`array`, open for writing; RuntimeError where its elements share memory, or it is read-only.

    `overlapping` says that all elements get the same number, so that sharing does not matter.
    """
    if array.flags.writeable:
        return array
    if elements_shared(array) and not overlapping:
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            f"single memory location. {_CLONE}"
        )
    opened = array.view()
    try:
        opened.flags.writeable = True
    except ValueError:
        raise RuntimeError(
            "the memory of this tensor is read-only, as is the NumPy array it was made from: "
            "clone() the tensor before changing it"
        ) from None
    return opened


def elements_shared(array: Array) -> bool:
    """Whether elements of an expanded array lie in one place."""
    sizes = zip(array.strides, array.shape, strict=True)
    return array.size > 0 and any(step == 0 < n - 1 for step, n in sizes)


def check_no_partial_overlap(array: Array, other: Array) -> None:
    """RuntimeError if some, but not all, elements that are read lie where others are written."""
    if (array.base is None and other.base is None) or other is array:
        return
    if _overlap(array, other) == "some":
        _refuse_overlap()


def check_no_overlap(array: Array, other: Array) -> None:
    """RuntimeError if elements that are read lie where others are written."""
    if other is array or _overlap(array, other) != "none":
        _refuse_overlap()


def _refuse_overlap() -> None:
    raise RuntimeError(
        "unsupported operation: some elements of the input tensor and the written-to tensor refer "
        f"to a single memory location. {_CLONE}"
    )


def _overlap(array: Array, other: Array) -> str:
    """How much memory two arrays share: "none", "some", "all".

    As in PyTorch, "none" where gaps or shared elements make it hard to tell: NumPy then reads
    everything before it writes.
    """
    if _owner(array) is not _owner(other) or not (array.size and other.size):
        return "none"
    if not (_is_dense(array) and _is_dense(other)):
        return "none"
    start, other_start = array.ctypes.data, other.ctypes.data
    if start == other_start and array.nbytes == other.nbytes:
        return "all" if array.strides == other.strides else "some"
    apart = start + array.nbytes <= other_start or other_start + other.nbytes <= start
    return "none" if apart else "some"


def _owner(array: Array) -> object:
    return array if array.base is None else array.base


def _is_dense(array: Array) -> bool:
    """Whether the elements fill a stretch of memory, each once, in whatever order."""
    expected = array.itemsize
    for step, size in sorted(zip(array.strides, array.shape, strict=True)):
        if size != 1:
            if step != expected:
                return False
            expected *= size
    return True
