"""What a step of a random program may compute, written once for both engines."""

import operator

UNARY = {
    "neg": operator.neg,
    "tanh": lambda x: x.tanh(),
    "sigmoid": lambda x: x.sigmoid(),
    "relu": lambda x: x.relu(),
    "abs": abs,
    "exp of −x²": lambda x: (-x * x).exp(),
    "half": lambda x: x * 0.5,
    "plus one": lambda x: 1 + x,
    "one minus": lambda x: 1 - x,
    "reciprocal": lambda x: 1 / (1 + x * x),
    "square root": lambda x: (1 + x * x).sqrt(),
    "logarithm": lambda x: (1 + x * x).log(),
    "square": lambda x: x**2,
    "clamp": lambda x: x.clamp(-1, 1),
    "sum": lambda x: x.sum(),
    "mean of the first": lambda x: x.mean(0) if x.ndim else x.mean(),
    "sum of the last": lambda x: x.sum(-1, keepdim=True) if x.ndim else x.sum(),
    "largest": lambda x: x.amax(-1) if x.numel() else x.sum(),
    "softmax": lambda x: x.softmax(-1) if x.ndim else x.clone(),
    "log_softmax": lambda x: x.log_softmax(0) if x.ndim else x.clone(),
    "clone": lambda x: x.clone(),
    "contiguous": lambda x: x.contiguous(),
    "flatten": lambda x: x.flatten(),
    "detach": lambda x: x.detach(),
    "itself": lambda x: x,
}

BINARY = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": lambda x, y: x / (1 + y * y),
    "maximum": lambda x, y: x.maximum(y),
    "minimum": lambda x, y: x.minimum(y),
    # Of batches PyTorch folds some into one product, and calls the results by other names.
    "matmul": lambda x, y: x @ y if max(x.ndim, y.ndim) < 3 else (x @ y).clone(),
    "choose": lambda x, y: x.where(x > y, y),
    "square of the difference": lambda x, y: ((x - y) ** 2).mean(),
}

SEVERAL = {
    "unbind": lambda x: x.unbind(0),
    "split": lambda x: x.split(2, dim=-1),
    "chunk": lambda x: x.chunk(2),
    "tensor_split": lambda x: x.tensor_split(2),
    "rows": lambda x: tuple(x),
}

IN_PLACE = {
    "add_": lambda x, y: x.add_(y),
    "+=": operator.iadd,
    "-=": operator.isub,
    "*=": operator.imul,
    "copy_": lambda x, y: x.copy_(y),
    "add_ with alpha": lambda x, y: x.add_(y, alpha=-0.5),
    "mul_ by what is bounded": lambda x, y: x.mul_(y.tanh()),
    "x[:1] += y": lambda x, y: x[:1].add_(y),
    "x.t() *= y": lambda x, y: x.mT.mul_(y.sigmoid()),
}

IN_PLACE_ALONE = {
    "zero_": lambda x: x.zero_(),
    "fill_": lambda x: x.fill_(0.5),
    "mul_ by a number": lambda x: x.mul_(0.5),
    "add_ a number": lambda x: x.add_(1),
    "tanh_": lambda x: x.tanh_(),
    "relu_": lambda x: x.relu_(),
    "neg_": lambda x: x.neg_(),
    "x[...] = 2": lambda x: operator.setitem(x, ..., 2.0),
    "x[0] = 1": lambda x: operator.setitem(x, 0, 1.0),
    "clamp_": lambda x: x.clamp_(-1, 1),
    "sigmoid_": lambda x: x.sigmoid_(),
    "sin_": lambda x: x.sin_(),
    "x[..., :1] *= x": lambda x: x[..., :1].mul_(x.detach()[..., :1].clone()),
    "diagonal": lambda x: x.diagonal().mul_(0.5),
    "x.view(-1)[0] = 1": lambda x: operator.setitem(x.view(-1), 0, 1.0),
}

HOOKS = {
    "look": lambda gradient: None,
    "double": lambda gradient: gradient * 2,
    "clamp": lambda gradient: gradient.clamp(-0.5, 0.5),
}

MODES = {
    "recording": lambda engine: engine.enable_grad(),
    "no_grad": lambda engine: engine.no_grad(),
    "set_grad_enabled(False)": lambda engine: engine.set_grad_enabled(False),
}
