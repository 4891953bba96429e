"""The memory of a tensor seen in another shape."""

from __future__ import annotations

import warnings

from tinygrad_mnist.engine.record import TensorBase
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops import shapes


class Views(TensorBase):
    """What PyTorch has as methods and properties only; the functions are in `ops.shapes`."""

    __slots__ = ()

    view = shapes.view
    expand = shapes.expand

    @property
    def T(self) -> Tensor:
        """The dimensions in reverse order."""
        ndim = self._array.ndim
        if ndim == 0:
            warnings.warn(
                "Tensor.T is deprecated on 0-D tensors. This function is the identity in these "
                "cases.",
                UserWarning,
                stacklevel=2,
            )
        elif ndim != 2:
            warnings.warn(
                "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is "
                "deprecated and it will throw an error in a future release. Consider `x.mT` to "
                "transpose batches of matrices or `x.permute(*torch.arange(x.ndim - 1, -1, -1))` "
                "to reverse the dimensions of a tensor.",
                UserWarning,
                stacklevel=2,
            )
        return shapes.permute(self, tuple(range(ndim))[::-1])

    @property
    def mT(self) -> Tensor:
        """The last two dimensions exchanged: the transpose of each matrix."""
        return self._transposed("mT")

    @property
    def H(self) -> Tensor:
        """The conjugate transpose of a matrix: here, where all numbers are real, the transpose."""
        if self._array.ndim not in (0, 2):
            raise RuntimeError(
                "tensor.H is only supported on matrices (2-D tensors). "
                f"Got {self._array.ndim}-D tensor."
                + " For batches of matrices, consider using tensor.mH"
                * (self._array.ndim > 2)
            )
        return self.mT if self._array.ndim else self

    @property
    def mH(self) -> Tensor:
        """The conjugate transpose of each matrix: here the transpose."""
        return self._transposed("mH")

    def _transposed(self, name: str) -> Tensor:
        if self._array.ndim == 0:
            return self
        if self._array.ndim < 2:
            raise RuntimeError(
                f"tensor.{name} is only supported on matrices or batches of matrices. "
                f"Got {self._array.ndim}-D tensor."
            )
        return shapes.transpose(self, -2, -1)

    @property
    def real(self) -> Tensor:
        """The tensor itself: its numbers are real."""
        return self

    @property
    def imag(self) -> Tensor:
        """Refused: its numbers are real."""
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")

    def view_as(self, other: Tensor) -> Tensor:
        """A view in the shape of `other`."""
        return shapes.view(self, other._array.shape)

    def reshape_as(self, other: Tensor) -> Tensor:
        """In the shape of `other`."""
        return shapes.reshape(self, other._array.shape)

    def expand_as(self, other: Tensor) -> Tensor:
        """Expanded to the shape of `other`."""
        return shapes.expand(self, other._array.shape)
