"""Lazy layers: those that read one of their sizes from the first input they get.

A lazy layer has parameters without shapes; before its first `forward` they get them, their numbers
are drawn, and the layer becomes one of the ordinary class.
"""

from __future__ import annotations

from typing import Any

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor.creation import tensor
from tinygrad_mnist.autograd import no_grad
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.types import Device, Dims, DType
from tinygrad_mnist.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy

from . import convolution, linear, normalization
from .module import Module


class LazyModuleMixin:
    """Put before a module's class: `initialize_parameters(input)` is called before `forward`.

    It gives all parameters their shapes; the module is then of the class `cls_to_become`.
    """

    cls_to_become: type[Module] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        module: Any = self
        self._load_hook = module.register_load_state_dict_pre_hook(_materialize_for)
        self._initialize_hook = module.register_forward_pre_hook(
            self._infer_parameters, with_kwargs=True
        )

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give the parameters the shapes that an input needs; a subclass says how."""
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {type(self).__name__}"
        )

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer has no shape yet."""
        module: Any = self
        return any(map(is_lazy, (*module._parameters.values(), *module._buffers.values())))

    def _infer_parameters(self, module: Any, args: Any, kwargs: Any = None) -> None:
        """The hook before `forward`: initialise, and become an ordinary module."""
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {module._get_name()} has not been fully initialized")
        for name in ("_initialize_hook", "_load_hook"):
            getattr(module, name).remove()
            delattr(module, name)
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become


def _materialize_for(module: Any, state_dict: Any, prefix: str, *rest: Any) -> None:
    """The hook before loading: take the shapes of what is loaded."""
    for name, member in (*module._parameters.items(), *module._buffers.items()):
        given = state_dict.get(prefix + name)
        if given is not None and is_lazy(member) and not is_lazy(given):
            member.materialize(given.shape)


class _LazyLayer(LazyModuleMixin):
    """A layer that reads the attribute `_reads` from its input, and then knows all shapes."""

    _reads = ""

    def reset_parameters(self) -> None:
        """Draw the parameters anew, if they have shapes."""
        if not self.has_uninitialized_params() and getattr(self, self._reads) != 0:
            super().reset_parameters()  # type: ignore[misc]

    def _wait(self, device: Device, dtype: DType, **there: bool) -> None:
        """Put parameters without shapes in the places named."""
        for name, wanted in there.items():
            if wanted:
                setattr(self, name, UninitializedParameter(device=device, dtype=dtype))

    def _size(self, input: Tensor) -> int:
        return input.shape[1]

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        raise NotImplementedError

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Give the parameters the shapes that this input needs, and draw their numbers."""
        if self.has_uninitialized_params():
            setattr(self, self._reads, self._size(input))
            with no_grad():
                for name, shape in self._shapes().items():
                    member = getattr(self, name)
                    if is_lazy(member):
                        member.materialize(shape)
            self.reset_parameters()


class LazyLinear(_LazyLayer, linear.Linear):
    """`Linear` that reads `in_features` from its first input.

    >>> layer = torch.nn.LazyLinear(2)
    >>> layer(torch.ones(5, 3)).shape
    torch.Size([5, 2])
    >>> layer
    Linear(in_features=3, out_features=2, bias=True)
    """

    cls_to_become = linear.Linear
    _reads = "in_features"

    def __init__(
        self, out_features: int, bias: bool = True, device: Device = None, dtype: DType = None
    ) -> None:
        super().__init__(0, 0, False)
        self._wait(device, dtype, weight=True, bias=bias)
        self.out_features = out_features

    def _size(self, input: Tensor) -> int:
        return input.shape[-1]

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.out_features, self.in_features), "bias": (self.out_features,)}

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Read `in_features`, and draw the parameters."""
        super().initialize_parameters(input)
        if self.in_features == 0:
            if input.shape[-1] != self.weight.shape[-1]:
                raise AssertionError(
                    f"The in_features inferred from input: {input.shape[-1]} is not equal to "
                    f"in_features from self.weight: {self.weight.shape[-1]}"
                )
            self.in_features = input.shape[-1]


class _LazyConvolution(_LazyLayer):
    """What lazy convolutions and their transposes share."""

    _reads = "in_channels"
    in_channels: int
    out_channels: int
    groups: int
    kernel_size: Any
    _dimensions: int
    _transposed: bool

    def _size(self, input: Tensor) -> int:
        lead = input.dim() - self._dimensions
        if lead not in (1, 2):
            raise RuntimeError(
                f"Expected {self._dimensions + 1}D (unbatched) or {self._dimensions + 2}D "
                f"(batched) input to {type(self).__name__}, but got input of size: {input.shape}"
            )
        channels = input.shape[lead - 1]
        if channels % self.groups:
            self.in_channels = channels
            raise ValueError("in_channels must be divisible by groups")
        return channels

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        outer, inner = self.out_channels, self.in_channels
        if self._transposed:
            outer, inner = inner, outer
        weight = outer, inner // self.groups, *self.kernel_size
        return {"weight": weight, "bias": (self.out_channels,)}


class _LazyConv(_LazyConvolution):
    def __init__(
        self, out_channels: int, kernel_size: Dims, stride: Dims = 1, padding: Dims = 0,
        dilation: Dims = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros",
        device: Device = None, dtype: DType = None,
    ) -> None:  # fmt: skip
        super().__init__(
            0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode, device, dtype
        )
        self._wait(device, dtype, weight=True, bias=bias)
        self.out_channels = out_channels


class _LazyConvTranspose(_LazyConvolution):
    def __init__(
        self, out_channels: int, kernel_size: Dims, stride: Dims = 1, padding: Dims = 0,
        output_padding: Dims = 0, groups: int = 1, bias: bool = True, dilation: Dims = 1,
        padding_mode: str = "zeros", device: Device = None, dtype: DType = None,
    ) -> None:  # fmt: skip
        super().__init__(
            0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation,
            padding_mode, device, dtype,
        )  # fmt: skip
        self._wait(device, dtype, weight=True, bias=bias)
        self.out_channels = out_channels


class _LazyNorm(_LazyLayer):
    """What lazy normalisations share."""

    _reads = "num_features"
    num_features: int

    def __init__(
        self, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, device: Device = None, dtype: DType = None, *,
        bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(0, eps, momentum, False, False, device, dtype, bias=False)
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._wait(device, dtype, weight=affine, bias=affine and bias)
        if track_running_stats:
            for name in ("running_mean", "running_var"):
                setattr(self, name, UninitializedBuffer(device=device, dtype=dtype))
            self.num_batches_tracked = tensor(0, dtype=dtypes.int64)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        names = ("weight", "bias", "running_mean", "running_var")
        return dict.fromkeys(names, (self.num_features,))


def _lazy(eager: Any) -> Any:
    """The lazy class of a layer."""
    name = eager.__name__
    kind = next(kind for start, kind in _KINDS.items() if name.startswith(start))
    told = f"`{name}` that reads `{kind._reads}` from its first input."
    members = {"__doc__": told, "__module__": __name__, "cls_to_become": eager}
    return type(f"Lazy{name}", (kind, eager), members)


_KINDS: dict[str, Any] = {
    "ConvTranspose": _LazyConvTranspose, "Conv": _LazyConv, "Batch": _LazyNorm,
    "Instance": _LazyNorm,
}  # fmt: skip
LazyConv1d = _lazy(convolution.Conv1d)
LazyConv2d = _lazy(convolution.Conv2d)
LazyConv3d = _lazy(convolution.Conv3d)
LazyConvTranspose1d = _lazy(convolution.ConvTranspose1d)
LazyConvTranspose2d = _lazy(convolution.ConvTranspose2d)
LazyConvTranspose3d = _lazy(convolution.ConvTranspose3d)
LazyBatchNorm1d = _lazy(normalization.BatchNorm1d)
LazyBatchNorm2d = _lazy(normalization.BatchNorm2d)
LazyBatchNorm3d = _lazy(normalization.BatchNorm3d)
LazyInstanceNorm1d = _lazy(normalization.InstanceNorm1d)
LazyInstanceNorm2d = _lazy(normalization.InstanceNorm2d)
LazyInstanceNorm3d = _lazy(normalization.InstanceNorm3d)
