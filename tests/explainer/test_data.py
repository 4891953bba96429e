"""What `to_json` gives is what the page reads: these fields, of these types, and no others."""

from __future__ import annotations

import json
from typing import Any

import pytest

import tinygrad_mnist as torch
from tinygrad_mnist import nn
from tinygrad_mnist.nn import functional as F

WHOLE, NUMBER = (int,), (int, float)
OPTIONAL = {
    "whole": (int, type(None)), "text": (str, type(None)), "seconds": (float, type(None)),
}  # fmt: skip
NODE = {
    "id": WHOLE, "kind": (str,), "name": OPTIONAL["text"], "op": OPTIONAL["text"],
    "grad_fn": OPTIONAL["text"], "says": OPTIONAL["text"], "formula": (dict, type(None)),
    "inputs": (list,), "attributes": (dict,), "shape": (list,), "dtype": (str,),
    "value": OPTIONAL["whole"], "scope": OPTIONAL["whole"], "source": (dict, type(None)),
    "order": WHOLE, "under": OPTIONAL["whole"], "requires_grad": (bool,), "is_leaf": (bool,),
    "view_of": OPTIONAL["whole"], "in_place": (bool,), "saves": (list,),
    "seconds": OPTIONAL["seconds"], "bytes": WHOLE, "loop": OPTIONAL["whole"],
    "gradient": (dict, type(None)),
}  # fmt: skip
STEP = {
    "number": WHOLE, "phase": (str,), "node": WHOLE, "seconds": OPTIONAL["seconds"],
    "bytes": WHOLE,
}  # fmt: skip
BY_PHASE = {
    "forward": {},
    "backward": {"gradient": OPTIONAL["whole"], "contributions": (list,), "frees": (list,)},
    "accumulate": {"before": OPTIONAL["whole"], "array": WHOLE},
}
CONTRIBUTION = {
    "to": WHOLE, "argument": (str,), "formula": (dict, type(None)), "raw_shape": (list,),
    "summed": (list,), "stretched": (list,), "array": WHOLE,
}  # fmt: skip
SCOPE = {
    "id": WHOLE, "parent": OPTIONAL["whole"], "kind": (str,), "name": (str,),
    "type": OPTIONAL["text"], "nodes": (list,), "repeats": OPTIONAL["whole"],
}  # fmt: skip
ARRAY = {
    "shape": (list,), "full": (list,), "dtype": (str,), "min": (*NUMBER, bool, type(None)),
    "max": (*NUMBER, bool, type(None)), "mean": (*NUMBER, type(None)), "nan": WHOLE, "inf": WHOLE,
    "zero": WHOLE,
}  # fmt: skip
TOP = {
    "title": (str,), "what": (str,), "made": (dict,), "arrays": (list,), "nodes": (list,),
    "scopes": (list,), "steps": (list,), "sources": (list,), "loops": (list,), "notes": (list,),
    "why": (list,),
}  # fmt: skip


def fits(entry: dict[str, Any], fields: dict[str, tuple[type, ...]]) -> None:
    assert entry.keys() == fields.keys()
    for name, kinds in fields.items():
        assert type(entry[name]) in kinds, (name, entry[name])


def check(data: dict[str, Any]) -> None:
    """Every field of the contract, and every index within what it points into."""
    json.dumps(data, allow_nan=False)
    fits(data, TOP)
    arrays, nodes, scopes = (range(len(data[each])) for each in ("arrays", "nodes", "scopes"))
    for array in data["arrays"]:
        held = "numbers" if "numbers" in array else "packed"
        fits({name: value for name, value in array.items() if name != held}, ARRAY)
    for at, node in enumerate(data["nodes"]):
        fits(node, NODE)
        assert node["id"] == at
        assert all(edge["node"] < at or edge["node"] in nodes for edge in node["inputs"])
        assert node["value"] is None or node["value"] in arrays
        assert node["scope"] is None or at in data["scopes"][node["scope"]]["nodes"]
        for saved in node["saves"]:
            assert saved["array"] is None or saved["array"] in arrays
    for at, scope in enumerate(data["scopes"]):
        fits(scope, SCOPE)
        assert scope["id"] == at
        assert scope["parent"] is None or scope["parent"] in scopes
        assert all(node in nodes for node in scope["nodes"])
    phases = [step["phase"] for step in data["steps"]]
    assert phases.index("backward") == phases.count("forward")
    for at, step in enumerate(data["steps"]):
        fits(step, STEP | BY_PHASE[step["phase"]])
        assert step["number"] == at
        for part in step.get("contributions", ()):
            fits(part, CONTRIBUTION)
            assert part["to"] in nodes
            assert part["array"] in arrays


def _square() -> Any:
    return torch.explain(lambda a, b: (a * b + a) ** 2, 2.0, 3.0)


def _linear() -> Any:
    def loss(weights: torch.Tensor, bias: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return (x @ weights + bias).tanh().mean()

    x = torch.arange(6.0).reshape(2, 3)
    return torch.explain(loss, torch.ones(3, 2, requires_grad=True), torch.zeros(2), x)


def _sequential() -> Any:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    return torch.explain(
        lambda x, y: F.cross_entropy(model(x), y), torch.rand(5, 4), [0, 1, 2, 0, 1]
    )


@pytest.mark.parametrize("made", [_square, _linear, _sequential])
def test_the_data_is_as_the_page_reads_it(made: Any) -> None:
    check(made().to_json())
