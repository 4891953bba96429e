"""The Tensor class: the operations by name, joined to the subjects of the neighbouring files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_mnist import names
from tinygrad_mnist.engine.tensor import TENSOR_TYPE
from tinygrad_mnist.engine.tensor import Tensor as AnyTensor
from tinygrad_mnist.engine.types import Device, Operand
from tinygrad_mnist.ops import conditional as choosing

from .conversion import Conversion, Copying, Views
from .creation import NewTensors, new_tensor
from .description import Description
from .gradients import Gradients
from .in_place import InPlace
from .methods import LaterMethod, method
from .operators import Operators
from .storage import Storages


class Methods:
    """The operations as methods: every function whose first input is called `input`."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


for _name in names.METHODS:
    LaterMethod(Methods, _name, method)


class Tensor(
    Methods,
    InPlace,
    Storages,
    Views,
    Operators,
    Conversion,
    Description,
    NewTensors,
    Copying,
    Gradients,
):
    """An array of numbers of one type that can remember how it was computed.

    Made by `torch.tensor(...)` and the like; `torch.Tensor(...)` is the old constructor.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ("__dict__",)
    __module__ = "tinygrad_mnist"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in ("__torch_function__", "__torch_dispatch__"):
            if name in vars(cls):
                raise NotImplementedError(
                    f"{cls.__name__}.{name} is not supported: operations do not ask subclasses"
                )

    def __new__(cls, *data: Any, device: Device = None) -> Any:
        made = new_tensor(*data, device=device)
        if cls is not Tensor:
            made.__class__ = cls
        return made

    def where(self, condition: AnyTensor, other: Operand) -> AnyTensor:
        """The tensor where `condition` holds, `other` elsewhere."""
        return choosing.where(condition, self, other)


TENSOR_TYPE[0] = Tensor
