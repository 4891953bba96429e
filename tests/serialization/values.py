"""Things that scripts save, made by either engine, and a comparison that leaves nothing out."""

from collections import Counter, OrderedDict


def _views(torch):
    x = torch.arange(12.0).reshape(3, 4)
    return {"whole": x, "column": x[:, 1], "transposed": x.t(), "tail": x[1:, 2:]}


def _trained(torch, make_optimizer):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = make_optimizer(torch, model.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(5, 3) * torch.arange(5.0).unsqueeze(1)).sum().backward()
        optimizer.step()
    return {"epoch": 2, "model": model.state_dict(), "optimizer": optimizer.state_dict()}


def _loop(torch):
    items = [1]
    items.append(items)
    return items


def _with_attributes(torch):
    x = torch.ones(2)
    x.note = ["kept", 1]
    parameter = torch.nn.Parameter(torch.zeros(1))
    parameter.decay = False
    return [x, parameter]


def _same_twice(torch):
    x, inner = torch.nn.Parameter(torch.ones(2)), {"a": 1}
    return [x, x, inner, inner]


OBJECTS = {
    "module": lambda torch: torch.nn.Linear(3, 2).state_dict(),
    "sgd": lambda torch: _trained(torch, lambda t, p: t.optim.SGD(p, 0.1, momentum=0.9)),
    "adam": lambda torch: _trained(torch, lambda t, p: t.optim.Adam(p, amsgrad=True)),
    "adamw": lambda torch: _trained(torch, lambda t, p: t.optim.AdamW(p, lr=t.tensor(0.01))),
    "rmsprop": lambda torch: _trained(torch, lambda t, p: t.optim.RMSprop(p, centered=True)),
    "views": _views,
    "expanded": lambda torch: torch.arange(3.0).unsqueeze(1).expand(3, 4),
    "types": lambda torch: [
        torch.tensor(values, dtype=dtype)
        for values, dtype in (
            ([True, False], torch.bool),
            ([0, 255], torch.uint8),
            ([-(2**31), 7], torch.int32),
            ([2**62, -1], torch.int64),
            ([0.1, float("inf")], torch.float32),
            ([0.1, float("nan")], torch.float64),
        )
    ],
    "0-d": lambda torch: [torch.tensor(1.5), torch.tensor(True), torch.arange(3)[1]],
    "empty": lambda torch: [torch.empty(0), torch.empty(0, 3), torch.empty(2, 0, dtype=torch.bool)],
    "empty views": lambda torch: torch.arange(6.0)[6:],
    "gradients": lambda torch: [torch.ones(2, requires_grad=True), torch.ones(2)],
    "computed": lambda torch: torch.ones(2, requires_grad=True) * 2,
    "parameters": lambda torch: [
        torch.nn.Parameter(torch.ones(2)),
        torch.nn.Parameter(torch.ones(2).double(), requires_grad=False),
    ],
    "attributes": _with_attributes,
    "buffer": lambda torch: torch.nn.Buffer(torch.ones(1)),
    "same twice": _same_twice,
    "numbers": lambda torch: [
        None, True, False, 0, 255, 256, 65535, 65536, -1, 2**31 - 1, -(2**31), 2**31, 10**100,
        -(10**100), 0.1, -0.0, float("inf"), float("nan"), 1j,
    ],
    "texts": lambda torch: [
        "", "weight", "손글씨", "\ud800", "weight", b"", b"\x00\xff", bytearray(b"ab"),
    ],
    "containers": lambda torch: {
        "list": [[], [1, [2]]],
        "tuple": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
        "set": {1, "a"},
        "dict": {1: "int", (1, "b"): "tuple", None: {}, False: 0.5},
        "ordered": OrderedDict(a=1),
        "counter": Counter("abca"),
    },
    "many": lambda torch: [list(range(2500)), {str(n): n for n in range(2500)}],
    "loop": _loop,
    "described": lambda torch: [torch.float32, torch.bool, torch.Size([2, 3]), torch.device("cpu"),
                                torch.strided],
}  # fmt: skip


def described(value, known=None):
    """A value of either engine as plain data: types, numbers, layout, what is shared."""
    known = {} if known is None else known
    kind = type(value).__name__
    if isinstance(value, list | dict | set) or hasattr(value, "requires_grad"):
        if id(value) in known:
            return "seen before", known[id(value)][0]
        known[id(value)] = len(known), value
    if hasattr(value, "requires_grad"):
        memory = None
        if value.numel():
            memory = known.setdefault(("memory", _memory(value)), (len(known), value))[0]
        detached = value.detach()
        return (
            kind, str(value.dtype), tuple(value.shape), value.stride(), value.requires_grad,
            value.is_leaf, memory, repr(detached.tolist()),
            described(_attributes(value), known),
        )  # fmt: skip
    if isinstance(value, dict):
        items = [(described(k, known), described(v, known)) for k, v in value.items()]
        return kind, items, described(getattr(value, "_metadata", None), known)
    if isinstance(value, set):
        return kind, sorted(map(repr, value))
    if isinstance(value, list | tuple):
        return kind, [described(item, known) for item in value]
    return kind, repr(value)


def _memory(tensor):
    """Where the memory behind a tensor begins."""
    if hasattr(tensor, "untyped_storage"):
        return tensor.untyped_storage().data_ptr()
    array = tensor.detach().numpy()
    while hasattr(array.base, "__array_interface__"):
        array = array.base
    return array.__array_interface__["data"][0]


def _attributes(tensor):
    """What was set on a tensor, in order."""
    hidden = ("_backward_hooks", "_resting_leaf")
    return {name: item for name, item in vars(tensor).items() if name not in hidden}
