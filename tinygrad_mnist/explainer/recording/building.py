"""From what was seen of a backward pass to plain data: nodes, then the steps through them."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_mnist.core.backward_pass import broadcasts, summed_over
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.node import FREED, AccumulateGrad, OutputRecord, Record
from tinygrad_mnist.engine.outputs import EACH_TO_ITS_OWN as JOINED
from tinygrad_mnist.engine.primitive import Primitive
from tinygrad_mnist.explainer import passes
from tinygrad_mnist.nn.parameter import Parameter

from .attributes import printable, says_of
from .frames import Place
from .scopes import Scopes
from .sources import Sources
from .watching import Call, Operand, Seen, Visit, input_name

__all__ = ["MOST_NODES", "Builder"]

MOST_NODES = 2000
"""So many records at most are shown: those nearest to the end of the computation."""


_AGAIN = 0.5
"""Seconds at most for running operations once more to see how long each takes."""


class Builder:
    """Builds the pass that was seen, from the calls by which its records were made."""

    def __init__(
        self, seen: Seen, calls: Any, names: dict[int, str], arguments: frozenset[str]
    ) -> None:
        self.seen = seen
        self.calls = calls
        self.names = names
        self.arguments = arguments
        """The names of what a function was given, which are inputs and no parameters."""
        self.nodes: list[passes.Node] = []
        self.notes: list[str] = []
        self.sources = Sources()
        self.scopes = Scopes()
        self._of: dict[Record, int] = {}
        """The node of each record."""
        self._cut: set[Record] = set()
        """The records whose own operations are not shown."""
        self._constants: dict[tuple[int, tuple[int, ...]], int] = {}
        self.after: dict[AccumulateGrad, Array] = {}
        """What the `.grad` of each leaf holds after the pass, or would hold."""
        self._sums: dict[Record, Array] = {}
        self._given_to_hooks = {
            source
            for record in seen.order
            if record.hooks is not None and record.hooks.node_hooks
            for source in record.inputs
        }
        """The records whose gradients went through the hooks of the operations that use them."""

    def build(self, title: str) -> passes.Pass:
        """The whole of it."""
        for record in self._shown():
            self._add(record)
        self._fill()
        steps = list(self._steps())
        self._tell()
        scopes = self.scopes.built(self.nodes)
        found = passes.Pass(title, self.nodes, scopes, steps, self.sources.built(), self.notes)
        for record, gradient in self.seen.starts:
            at = self.node_of(record)
            if at is not None and isinstance(gradient, np.ndarray):
                known = found.starts.get(at)
                found.starts[at] = gradient if known is None else known + gradient
        return found

    def _shown(self) -> list[Record]:
        """The records that are shown, oldest first: the last operations, and leaves they use."""
        operations = [
            record
            for record in self.seen.order
            if not isinstance(record, AccumulateGrad) and not _is_hidden(record)
        ]
        if len(operations) <= MOST_NODES:
            return [record for record in reversed(self.seen.order) if not _is_hidden(record)]
        self.notes.append(
            f"Only the last {MOST_NODES:,} of {len(operations):,} operations are shown."
        )
        shown = set(operations[:MOST_NODES])
        used = {source for record in shown for source in record.inputs}
        used = {source for source in used if isinstance(source, AccumulateGrad)}
        return [record for record in reversed(self.seen.order) if record in shown | used]

    def node_of(self, record: Any) -> int | None:
        """The node of a record, if it is shown."""
        return None if record is None else self._of.get(_resolved(record))

    # Nodes

    def _add(self, record: Record) -> None:
        if isinstance(record, AccumulateGrad):
            self._add_leaf(record)
            return
        call: Call | None = self.calls.get(record)
        op: Any = record.primitive
        inputs = list(self._inputs(record, call))
        node = passes.Node(
            len(self.nodes), "operation", self._name_of(record, call), op.name, record.name(),
            says_of(record), inputs, printable(record.attributes), record.shape,
            record.dtype.name, None if call is None or call.output is None else call.output.now(),
            primitive=op, settings=record.attributes,
        )  # fmt: skip
        if isinstance(op, Primitive) and op.view and inputs:
            node.view_of = inputs[0].node
        node.bytes = (
            0 if node.view_of is not None else int(np.prod(record.shape)) * (record.dtype.itemsize)
        )
        if op.vjp is not None:
            _describe(node, record)
        places = self._places(record, call)
        self.scopes.note(node.id, places)
        node.source = self.sources.place(places)
        if call is not None:
            node.in_place = call.in_place
            if call.going_back:
                node.order = 2
            if call.under is not None:
                node.under = self.node_of(call.under)
        for edge in inputs:
            if self.nodes[edge.node].kind == "constant":
                self.nodes[edge.node].order = node.order
        self._place(record, node)

    def _places(self, record: Record, call: Call | None) -> tuple[Place, ...]:
        """Where the program made a record: of one that follows a changed view, where it changed."""
        seen = call
        while seen is None and record.primitive.name in ("as_strided", "copy_slices"):
            if record.inputs[-1] is None:
                break
            record = record.inputs[-1]
            seen = self.calls.get(record)
        return () if seen is None else seen.places

    def _place(self, record: Record, node: passes.Node) -> None:
        self._of[record] = node.id
        self.nodes.append(node)
        for name, value, which in self.seen.saved.get(record, ()):
            source = None
            if which == len(record.inputs):
                source = node.id
            elif 0 <= which < len(record.inputs):
                name_of = input_name(record, which)
                source = next((e.node for e in node.inputs if e.argument == name_of), None)
            known = None if source is None else self.nodes[source].value
            array = np.asarray(value)
            same = known is not None and (known.dtype, known.shape) == (array.dtype, array.shape)
            node.saves.append(passes.Saved(name, known if same else np.array(array), source))

    def _add_leaf(self, record: AccumulateGrad) -> None:
        leaf = self.seen.leaves[record]
        variable = record.variable
        kind: Any = "parameter" if isinstance(variable, Parameter) else "input"
        name = self.names.get(id(record)) or leaf.name
        if kind == "input" and name is not None and name not in self.arguments:
            kind = "leaf"
        node = passes.Node(
            len(self.nodes), kind, name, None, record.name().rpartition(":")[2], None, [], {},
            record.shape, record.dtype.name, leaf.value, is_leaf=True,
            bytes=math.prod(record.shape) * record.dtype.itemsize,
        )  # fmt: skip
        self._of[record] = node.id
        self.nodes.append(node)

    def _add_cut(self, record: Record) -> None:
        """A node for what was computed by operations that are not shown."""
        call: Call | None = self.calls.get(record)
        value = None if call is None or call.output is None else call.output.now()
        node = passes.Node(
            len(self.nodes), "input", self._name_of(record, call), None, record.name(), None, [],
            {}, record.shape, record.dtype.name, value,
        )  # fmt: skip
        self._of[record] = node.id
        self._cut.add(record)
        self.nodes.append(node)

    def _name_of(self, record: Record, call: Call | None) -> str | None:
        found = self.names.get(id(record))
        return found if found is not None or call is None else call.name

    def _inputs(self, record: Record, call: Call | None) -> Iterator[passes.Edge]:
        """The inputs of an operation, those that need no gradient among them."""
        count = len(record.inputs)
        known = call is not None and len(call.operands) == count
        for position, source in enumerate(record.inputs):
            name = input_name(record, position)
            if source is not None:
                source = _resolved(source)
                if _passes_on(record, position):
                    if source not in self._of:
                        self._add_cut(source)
                    yield passes.Edge(self._of[source], name)
                continue
            operand = call.operands[position] if known and call is not None else None
            node = self._constant(record, position, operand)
            if node is not None:
                yield passes.Edge(node, name)

    def _constant(self, record: Record, position: int, operand: Operand | None) -> int | None:
        """The node of an input that needs no gradient: a tensor from outside, or a number."""
        array: Any = None
        if operand is not None:
            if operand.value is None:
                return None
            array = operand.value.now()
            shape = operand.value.array.shape
        elif record.saved is not FREED and (saved := record.saved[position : position + 1]):
            array = None if saved[0] is None else np.array(saved[0][0])
            shape = () if array is None else array.shape
        else:
            shape = ()
        identity = 0 if operand is None else operand.identity
        key = (identity, shape)
        if identity and key in self._constants:
            return self._constants[key]
        name = self.names.get(identity) or (operand.name if operand else None)
        dtype = "" if array is None else array.dtype.name
        node = passes.Node(
            len(self.nodes), "input" if name else "constant", name, None, None, None, [], {},
            shape, dtype, array, requires_grad=False,
            is_leaf=True, bytes=0 if array is None else array.nbytes,
        )  # fmt: skip
        self.nodes.append(node)
        self._constants[key] = node.id
        return node.id

    def _fill(self) -> None:
        """Give nodes whose value was not kept the one that their operation computes again."""
        for node in self.nodes:
            for saved in node.saves:
                source = None if saved.node is None else self.nodes[saved.node]
                fits = saved.array is not None and source is not None
                if fits and source.value is None and saved.array.shape == source.shape:  # type: ignore[union-attr]
                    source.value = saved.array  # type: ignore[union-attr]
        until = time.perf_counter() + _AGAIN
        for at in self._of.values():
            node = self.nodes[at]
            if node.value is None or time.perf_counter() < until:
                begin = time.perf_counter()
                found = self._again(node)
                if found is not None:
                    node.seconds = time.perf_counter() - begin
                    node.value = found if node.value is None else node.value

    def _again(self, node: passes.Node) -> Array | None:
        """The operation's result, computed again from the values of its inputs, if all are known.

        None for what draws random numbers, or is not computed by a body.
        """
        op: Any = node.primitive
        values = [self.nodes[edge.node].value for edge in node.inputs]
        if (
            op is None
            or op.vjp is not None
            or "fill" in node.settings
            or any(v is None for v in values)
        ):
            return None
        ends = dict(zip([edge.argument for edge in node.inputs], values, strict=True))
        given = tuple(values if op.variadic else [ends.get(name) for name in op.inputs])
        try:
            result: Array = op.compute(op.promoted(given), node.settings)
        except Exception:  # whatever a body does with inputs that are not quite those it had
            return None
        return result if result.shape == node.shape else None

    # Steps

    def _steps(self) -> Iterator[passes.Step]:
        number = 0
        for node in self.nodes:
            if node.kind == "operation":
                yield passes.Step(number, "forward", node.id, node.seconds, node.bytes)
                number += 1
        visits = {visit.record: visit for visit in self.seen.visits}
        for record, gradient in self.seen.starts:
            self._sum(record, gradient)
        for record in self.seen.order:
            visit = visits.get(record)
            at = self._of.get(record)
            if visit is not None and not isinstance(record, OutputRecord):
                for part in visit.contributions:
                    self._sum(record.inputs[part.position], part.array)
            if visit is not None and at is not None and record in self._cut:
                if isinstance(visit.gradient, np.ndarray):
                    self._complete(self.nodes[at], record, visit.gradient)
                continue
            if visit is not None and at is not None:
                yield self._backward(number, self.nodes[at], visit)
            elif at is not None and isinstance(record, AccumulateGrad) and record in self._sums:
                yield self._accumulate(number, self.nodes[at], record)
            else:
                if at is not None and record in self.seen.arrived:
                    self._complete(self.nodes[at], record, self.seen.arrived[record])
                continue
            number += 1

    def _sum(self, record: Record | None, gradient: Any) -> None:
        """Add to the gradient of a record, in the order in which the pass added."""
        if record is not None and isinstance(gradient, np.ndarray):
            known = self._sums.get(record)
            with np.errstate(all="ignore"):
                self._sums[record] = gradient if known is None else np.asarray(known + gradient)

    def _backward(self, number: int, node: passes.Node, visit: Visit) -> passes.Step:
        gradient = visit.gradient if isinstance(visit.gradient, np.ndarray) else None
        if gradient is not None:
            self._complete(node, visit.record, gradient)
        parts = []
        for part in visit.contributions:
            source = visit.record.inputs[part.position]
            to = self.node_of(source)
            if to is None:
                continue
            name = input_name(visit.record, part.position)
            parts.append(_contribution(to, name, part.raw_shape, part.array, part.position))
        size = sum(part.array.nbytes for part in parts)
        return passes.Step(
            number, "backward", node.id, visit.seconds, size, gradient, tuple(parts), visit.frees
        )

    def _complete(self, node: passes.Node, record: Record, gradient: Array) -> None:
        """Give a node its gradient, and note what hooks made of it."""
        node.gradient = passes.Gradient(gradient)
        hooks, expected = record.hooks, self._sums.get(record)
        if hooks is None and record not in self.seen.leaves and record not in self._given_to_hooks:
            return
        called = node.name or node.op or "a leaf"
        if expected is not None and not np.array_equal(expected, gradient, equal_nan=True):
            node.gradient.before = expected
            self.notes.append(f"A hook changed the gradient of {called}.")
        if hooks is not None and hooks.retains_grad and node.op is not None:
            self.notes.append(f"{called} keeps its gradient in .grad (retain_grad).")

    def _accumulate(self, number: int, node: passes.Node, record: AccumulateGrad) -> passes.Step:
        leaf, total = self.seen.leaves[record], self._sums[record]
        found = self.seen.arrived.get(record, total)
        if self.seen.accumulates and leaf.after is not None:
            after = leaf.after
            if leaf.before is None:
                found = after
            elif record.hooks is not None and (record.hooks.tensor_hooks or record.hooks.pre_hooks):
                found = np.asarray(after - leaf.before)
        else:
            after = found if leaf.before is None else leaf.before + found
        self._complete(node, record, found)
        self.after[record] = after
        return passes.Step(
            number, "accumulate", node.id, None, found.nbytes, before=leaf.before, array=after
        )

    def _tell(self) -> None:
        """What there is to say of the pass as a whole."""
        seen = self.seen
        if not seen.accumulates:
            would = "; the last steps show what .grad would hold if the gradients were added"
            self.notes.append(
                f"This pass leaves every .grad as it is{would if self.after else ''}."
            )
        if seen.create_graph:
            self.notes.append(
                "This pass was recorded itself (create_graph=True), so that its gradients can be "
                "differentiated again."
            )
        self._note_not_finite()

    def _note_not_finite(self) -> None:
        for node in self.nodes:
            bad = node.value is not None and not np.isfinite(node.value).all()
            if bad and node.kind == "operation":
                what = node.name or node.op
                self.notes.append(f"Going forward, {what} is the first that is not finite.")
                return


def _contribution(
    to: int, argument: str, raw: tuple[int, ...], array: Array, position: int
) -> passes.Contribution:
    summed: tuple[int, ...] = ()
    stretched: tuple[int, ...] = ()
    if raw != array.shape and broadcasts(raw, array.shape):
        lead = array.ndim - len(raw)
        kept = [lead + d for d, size in enumerate(raw) if size == array.shape[lead + d]]
        stretched = tuple([d for d in range(array.ndim) if d not in kept])
    elif raw != array.shape:
        summed = summed_over(raw, array.shape)
    return passes.Contribution(to, argument, raw, summed, stretched, array, position)


def _describe(node: passes.Node, record: Record) -> None:
    """Name the node of an operation of several outputs, or of one of them, or of a Function."""
    of: Any = record.inputs[0] if isinstance(record, OutputRecord) else record
    node.grad_fn = of.name()
    title = re.sub(r"Backward\d*$", "", of.name().rpartition(":")[2])
    function = of.attributes.get("function")
    node.op = (
        title if function is not None else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", title).lower()
    )
    if isinstance(record, OutputRecord):
        node.says = f"output {record.attributes['position']} of {node.op}"
        node.attributes = {"output": str(record.attributes["position"])}
    elif function is None:
        node.says = None


def _resolved(record: Record) -> Record:
    """The record that stands for this one: of an output of several, what computed it, if known."""
    if isinstance(record, OutputRecord):
        node = record.inputs[0]
        if node is not None and node.primitive is JOINED:
            source = node.inputs[record.attributes["position"]]
            return record if source is None else _resolved(source)
    return record


def _passes_on(record: Record, position: int) -> bool:
    """Whether gradients go to this input; else it only spares computing it again."""
    op: Any = record.primitive
    return op.vjp is not None or op.formula(position) is not None


def _is_hidden(record: Record) -> bool:
    """Whether a record only passes gradients on between those that are shown."""
    return record.primitive is JOINED or _resolved(record) is not record
