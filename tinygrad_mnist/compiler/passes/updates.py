"""Updates: a multiple of a matrix product is added to a parameter while the product is made."""

from __future__ import annotations

from collections import Counter

from tinygrad_mnist.compiler.choice import Product
from tinygrad_mnist.compiler.program import Constant, Input, Instruction, Number, Program, Value

_FUSED = {"add": "add_product", "sub": "sub_product"}
Makers = dict[Value, Instruction]


def fuse_updates(program: Program) -> Program:
    """The program with w ± n · (a @ b), written to w, as one instruction where that is faster."""
    makers = {i.output: i for i in program.instructions}
    reads = Counter(v for i in program.instructions for v in i.operands)
    reads.update(program.leaving())
    fused: dict[Instruction, Instruction] = {}
    gone: set[Instruction] = set()
    for target, value in program.writes:
        found = _update_of(target, value, makers)
        if found is None or any(reads[i.output] > 1 for i in found):
            continue
        product, scaled = found
        number = next(v for v in scaled.inputs if v is not product.output)
        change = makers[value]
        inputs = (target, *product.inputs, number)
        fused[change] = change.instead(_FUSED[change.op], inputs, {}, value)
        gone |= {product, scaled}
    kept = [fused.get(i, i) for i in program.instructions if i not in gone]
    return program.with_instructions(kept)


def _update_of(
    target: Input, value: Value, makers: Makers
) -> tuple[Instruction, Instruction] | None:
    """The product and its multiple by a number, where `value` is that added to `target`."""
    change = makers.get(value)
    if change is None or change.op not in _FUSED or value.dtype != target.dtype:
        return None
    scaled = makers.get(change.inputs[1])
    if change.inputs[0] is not target or scaled is None or scaled.op != "mul":
        return None
    for made, number in (scaled.inputs, scaled.inputs[::-1]):
        product = makers.get(made)
        if product is None or product.op != "mm" or not _is_number(number):
            continue
        if product.output.shape == target.shape and _is_faster(product, makers):
            return product, scaled
    return None


def _is_number(value: Value) -> bool:
    return isinstance(value, Number | Constant) and value.size == 1


def _is_faster(product: Instruction, makers: Makers) -> bool:
    a, b = product.inputs
    turned = [v in makers and makers[v].op == "permute" for v in (a, b)]
    m, k, n = *a.shape, b.shape[1]
    best = Product(turned[0], turned[1], m, k, n, product.output.dtype, added=True).best()
    return best != "add_blas"
