"""Dead code: what nobody reads is not computed."""

from __future__ import annotations

from tinygrad_mnist.compiler.program import Instruction, Program


def remove_dead_code(program: Program) -> Program:
    """The program without the instructions that nothing which leaves depends on."""
    wanted = program.leaving()
    kept: list[Instruction] = []
    for instruction in reversed(program.instructions):
        if instruction.output in wanted:
            kept.append(instruction)
            wanted.update(instruction.operands)
    return program.with_instructions(kept[::-1])
