"""What the page reads: these fields, of these types, and no others."""

from __future__ import annotations

import json
from typing import Any

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
        held = {"numbers"} if "numbers" in array else {"packed", "palette"}
        fits({name: value for name, value in array.items() if name not in held}, ARRAY)
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
