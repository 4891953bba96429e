"""How PyTorch computes each of the engine's operations: by its name, or by a line of a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mnist.ops.views import positions_of_view

from .parity.twins import pytorch

__all__ = ["Call", "counterpart"]

Array = np.ndarray[Any, Any]
Call = Callable[[Any, list[Any], dict[str, Any]], Any]
"""What gets the module torch, the inputs and the attributes, all in PyTorch's types."""


def counterpart(op: Any) -> Call | None:
    """How PyTorch computes a primitive; None where it has nothing alike."""
    if op.vjp is not None:
        return _SEVERAL.get(op.vjp.__name__)
    known = _TABLE.get(op.name)
    if known is not None or op.name in _ABSENT or "fill" in op.attributes:
        return known
    if op.name.startswith("special_"):
        return _renamed(op.name.replace("_", ".", 1))
    torch = pytorch()
    if hasattr(torch, op.name) or hasattr(torch.nn.functional, op.name):
        return _of_its_name(op.name)
    return None


_ABSENT = frozenset(
    ["zeros", "normal", "found", "window_spread", "igamma", "igammac", "special_zeta"]
)
"""What PyTorch has by that name is another thing, or goes back to none of its inputs."""


def _of_its_name(name: str) -> Call:
    def call(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
        function = getattr(torch, name, None) or getattr(torch.nn.functional, name)
        return function(*inputs, **attributes)

    return call


def _renamed(name: str, **others: str) -> Call:
    """PyTorch's function of another name; `others` are its names of our attributes."""

    def call(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
        function: Any = torch
        for part in name.split("."):
            function = getattr(function, part)
        named = {others.get(key, key): each for key, each in attributes.items()}
        return function(*inputs, **{key: each for key, each in named.items() if key})

    return call


def _at(positions: Array, torch: Any) -> Any:
    return torch.from_numpy(np.array(positions).reshape(-1))


def _prod(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    out = inputs[0]
    for dim in sorted(attributes["dim"], reverse=True):
        out = torch.prod(out, dim, keepdim=attributes["keepdim"])
    return out


def _flipped(name: str) -> Call:
    def call(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
        x, dim = inputs[0], attributes["dim"]
        if not attributes["reverse"]:
            return getattr(torch, name)(x, dim)
        return getattr(torch, name)(x.flip(dim), dim).flip(dim)

    return call


def _conv2d(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    (top, below), (left, right) = attributes["padding"]
    padded = torch.nn.functional.pad(inputs[0], (left, right, top, below))
    named = {key: each for key, each in attributes.items() if key != "padding"}
    return torch.nn.functional.conv2d(padded, inputs[1], **named)


def _conv2d_input(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    g, w = inputs
    (top, below), (left, right) = attributes["padding"]
    height, width = attributes["sizes"]
    padded = (g.shape[0], w.shape[1] * attributes["groups"], height + top + below,
              width + left + right)  # fmt: skip
    named = {key: attributes[key] for key in ("stride", "dilation", "groups")}
    whole = torch.nn.grad.conv2d_input(padded, w, g, **named)
    return whole[:, :, top : top + height, left : left + width]


def _conv2d_weight(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    g, x = inputs
    (top, below), (left, right) = attributes["padding"]
    padded = torch.nn.functional.pad(x, (left, right, top, below))
    named = {key: attributes[key] for key in ("stride", "dilation", "groups")}
    shape = (g.shape[1], x.shape[1] // attributes["groups"], *attributes["kernel"])
    return torch.nn.grad.conv2d_weight(padded, shape, g, **named)


def _index_put(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    out = inputs[0].clone()
    part = out[attributes["region"]]
    arrays = attributes["arrays"]
    part[... if arrays is None else arrays] = inputs[1]
    return out


def _zeros_with(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    """zeros, with x added at key"""
    x = inputs[0]
    positions = np.arange(int(np.prod(attributes["shape"]))).reshape(attributes["shape"])
    key = tuple([each.numpy() if hasattr(each, "numpy") else each for each in attributes["key"]])
    flat = x.new_zeros(positions.size).index_add(0, _at(positions[key], torch), x.reshape(-1))
    return flat.reshape(attributes["shape"])


def _pick(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    x, indices = inputs
    return x.flatten(-2).gather(-1, indices.flatten(-2)).reshape(indices.shape)


def _put_back(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    g, indices = inputs
    shape = attributes["shape"]
    flat = g.new_zeros((*shape[:-2], shape[-2] * shape[-1]))
    return flat.scatter_add(-1, indices.flatten(-2), g.flatten(-2)).reshape(shape)


def _window_sum(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    (top, below), (left, right) = attributes["borders"]
    (height, width), (down, across) = attributes["kernel"], attributes["stride"]
    padded = torch.nn.functional.pad(inputs[0], (left, right, top, below))
    windows = padded.unfold(-2, height, down).unfold(-2, width, across)
    rows, columns = attributes["counts"]
    return windows.sum((-2, -1))[..., :rows, :columns] / attributes["divisor"]


def _as_strided(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    positions = positions_of_view(tuple(inputs[0].shape), attributes["steps"])
    return inputs[0].reshape(-1)[_at(positions, torch)].reshape(positions.shape)


def _as_strided_backward(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    x, shape = inputs[0], attributes["shape"]
    positions = _at(positions_of_view(shape, attributes["steps"]), torch)
    zeros = x.new_zeros(int(np.prod(shape)))
    return zeros.index_add(0, positions, x.reshape(-1)).reshape(shape)


def _slice(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    """What PyTorch's indexing gives, which takes no steps backward: they are taken by index."""
    (x,), key = inputs, attributes["key"]
    if all(not isinstance(part, slice) or (part.step or 1) > 0 for part in key):
        return x[key]
    places = np.arange(x.numel()).reshape(x.shape)[key]
    return x.reshape(-1)[torch.from_numpy(places.copy())]


def _copy_slices(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    x, values = inputs
    positions = positions_of_view(tuple(x.shape), attributes["steps"])
    filled = torch.as_tensor(values, dtype=x.dtype).broadcast_to(positions.shape).reshape(-1)
    return x.reshape(-1).index_put((_at(positions, torch),), filled).reshape(x.shape)


def _unfold_backward(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    dim, size, step = (attributes[name] for name in ("dim", "size", "step"))
    return torch.ops.aten.unfold_backward(inputs[0], attributes["sizes"], dim, size, step)


def _diagonal_backward(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    places = (attributes[name] for name in ("sizes", "offset", "dim1", "dim2"))
    return torch.ops.aten.diagonal_backward(inputs[0], *places)


def _log_softmax_backward(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    g, out = inputs
    return torch.ops.aten._log_softmax_backward_data(g, out, attributes["dim"], out.dtype)


def _nll_loss(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    x, weight = inputs[0], attributes["weight"]
    named = attributes | {"weight": None if weight is None else weight.to(x.dtype)}
    return torch.nn.functional.nll_loss(x, inputs[1], **named)


def _nll_loss_backward(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    """The gradient of nll_loss at zeros: it is linear."""
    g, target = inputs
    x = g.new_zeros(attributes["shape"]).requires_grad_()
    loss = _nll_loss(torch, [x, target], {k: v for k, v in attributes.items() if k != "shape"})
    return torch.autograd.grad(loss, x, g, create_graph=True)[0]


def _var(x: Any, dim: Any, keepdim: bool, free: float) -> Any:
    centred = x - x.mean(dim, keepdim=True)
    return (centred * centred).sum(dim, keepdim=keepdim) / free


def _normalised(x: Any, weight: Any, bias: Any, dim: Any, over: Any, eps: float) -> Any:
    centred = x - x.mean(dim, keepdim=True)
    out = centred * ((centred * centred).mean(dim, keepdim=True) + eps).rsqrt()
    shape = [1 if d in over else size for d, size in enumerate(x.shape)]
    out = out if weight is None else out * weight.reshape(shape)
    return out if bias is None else out + bias.reshape(shape)


def _normalised_backward(g: Any, x: Any, dim: Any, eps: float) -> Any:
    centred = x - x.mean(dim, keepdim=True)
    inverse = ((centred * centred).mean(dim, keepdim=True) + eps).rsqrt()
    out = centred * inverse
    shared = out * (g * out).mean(dim, keepdim=True)
    return (g - g.mean(dim, keepdim=True) - shared) * inverse


def _elu(torch: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    settings = [attributes[name] for name in ("alpha", "scale", "input_scale")]
    return torch.ops.aten.elu(inputs[0], *settings)


_SEVERAL: dict[str, Call] = {
    "_split_backward": lambda torch, x, attributes: tuple(
        [x[0][key] for key in attributes["keys"]]
    ),
    "_with_the_others": lambda torch, x, attributes: x[0][attributes["position"]],
}
"""Operations of several outputs, and one output of them, by what computes their gradients."""
_TABLE: dict[str, Call] = {
    "mm": _renamed("matmul"),
    "root": _renamed("sqrt"),
    "euclidean_norm": _renamed("linalg.vector_norm"),
    "normalised": lambda torch, x, attributes: _normalised(*x, **attributes),
    "normalised_backward": lambda torch, x, attributes: _normalised_backward(*x, **attributes),
    "var": lambda torch, x, attributes: _var(x[0], **attributes),
    "rounded_div": _renamed("div"),
    "log_sigmoid": _renamed("nn.functional.logsigmoid"),
    "expand": _renamed("broadcast_to", shape="size"),
    "amax": _renamed("amax", nan_is_place=""),
    "amin": _renamed("amin", nan_is_place=""),
    "clone": lambda torch, x, attributes: x[0].clone(),
    "cast": lambda torch, x, attributes: x[0].to(attributes["dtype"]),
    "constant_in": lambda torch, x, attributes: x[0],
    "through": lambda torch, x, attributes: x[0],
    "add_bias": lambda torch, x, attributes: x[0] + x[1],
    "linear": _renamed("nn.functional.linear"),
    "binary_cross_entropy": lambda torch, x, attributes: (
        torch.nn.functional.binary_cross_entropy(x[0], x[1], reduction="none")
    ),
    "binary_cross_entropy_backward": lambda torch, x, attributes: (
        torch.ops.aten.binary_cross_entropy_backward(x[0], x[1], x[2], None, 0)
    ),
    "binary_cross_entropy_with_logits": lambda torch, x, attributes: (
        torch.nn.functional.binary_cross_entropy_with_logits(x[0], x[1], reduction="none")
    ),
    "threshold_backward": lambda torch, x, attributes: (
        torch.ops.aten.threshold_backward(x[0], x[1], 0)
    ),
    "threshold_gradient": lambda torch, x, attributes: (
        torch.ops.aten.threshold_backward(x[0], x[1], attributes["threshold"])
    ),
    "smooth_l1": lambda torch, x, attributes: torch.nn.functional.smooth_l1_loss(
        x[0], torch.zeros_like(x[0]), reduction="none", **attributes
    ),
    "huber": lambda torch, x, attributes: torch.nn.functional.huber_loss(
        x[0], torch.zeros_like(x[0]), reduction="none", **attributes
    ),
    "slice": _slice,
    "index": lambda torch, x, attributes: x[0][attributes["key"]],
    "cat": lambda torch, x, attributes: torch.cat(x, attributes["dim"]),
    "stack": lambda torch, x, attributes: torch.stack(x, attributes["dim"]),
    "unfold": lambda torch, x, attributes: x[0].unfold(
        attributes["dim"], attributes["size"], attributes["step"]
    ),
    "scatter_add": lambda torch, x, attributes: x[0].scatter_add(
        attributes["dim"], attributes["index"],
        x[1][tuple([slice(size) for size in attributes["index"].shape])],
    ),
    "scatter_reduce": lambda torch, x, attributes: torch.scatter_reduce(
        x[0], attributes["dim"], attributes["index"], x[1], attributes["reduce"],
        include_self=attributes["include_self"],
    ),
    "gather_backward": lambda torch, x, attributes: (
        x[0].new_zeros(attributes["shape"]).scatter_add(
            attributes["dim"], attributes["index"], x[0])
    ),
    "prod": _prod, "cumsum": _flipped("cumsum"), "logcumsumexp": _flipped("logcumsumexp"),
    "conv2d": _conv2d, "conv2d_input": _conv2d_input, "conv2d_weight": _conv2d_weight,
    "index_put": _index_put, "slice_backward": _zeros_with, "index_backward": _zeros_with,
    "pick": _pick, "put_back": _put_back, "window_sum": _window_sum, "as_strided": _as_strided,
    "as_strided_backward": _as_strided_backward, "copy_slices": _copy_slices,
    "unfold_backward": _unfold_backward, "diagonal_backward": _diagonal_backward,
    "log_softmax_backward": _log_softmax_backward, "nll_loss": _nll_loss,
    "nll_loss_backward": _nll_loss_backward, "elu": _elu,
    "polygamma": lambda torch, x, attributes: torch.polygamma(attributes["n"], x[0]),
    "cholesky_factor": _renamed("linalg.cholesky", check=""),
    "cholesky_solved": _renamed("cholesky_solve"),
    "determinant": _renamed("linalg.det"), "inverse": _renamed("linalg.inv", check=""),
    "log_determinant": lambda torch, x, attributes: torch.linalg.slogdet(x[0])[1],
    "matrix_exponential": _renamed("linalg.matrix_exp"),
    "pseudo_inverse": lambda torch, x, attributes: torch.linalg.pinv(
        x[0], atol=attributes["limit"][0], rtol=attributes["limit"][1],
        hermitian=attributes["symmetric"],
    ),
    "singular_values": _renamed("linalg.svdvals"), "solved": _renamed("linalg.solve", check=""),
    "solved_triangular": _renamed("linalg.solve_triangular", unit="unitriangular"),
}  # fmt: skip
