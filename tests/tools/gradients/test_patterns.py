"""Names of faults: each pattern from the numbers alone."""

import numpy as np
import pytest

from tinygrad_mnist.tools.gradients.patterns import PATTERNS, name_fault

RANDOM = np.random.default_rng(0)
G = RANDOM.normal(size=(5, 4))
SQUARE = RANDOM.normal(size=(4, 4))
CUBE = RANDOM.normal(size=(2, 3, 4))
SOFTMAX = np.exp(RANDOM.normal(size=6))
SOFTMAX /= SOFTMAX.sum()
JACOBIAN = np.diag(SOFTMAX) - np.outer(SOFTMAX, SOFTMAX)
ABOVE = RANDOM.normal(size=6)
RIGHT = JACOBIAN @ ABOVE
BIAS = np.kron(np.ones((5, 1)), np.eye(4))
X = RANDOM.normal(size=6) + 3
GATED = (
    ABOVE * (np.tanh(X) + X / np.cosh(X) ** 2),
    {"above": ABOVE, "x": X, "values": X * np.tanh(X)},
)
MASK = np.array([1.0, 0, 1, 1, 0, 1])
TWO = [RANDOM.normal(size=6), RANDOM.normal(size=6)]
BOTH = np.concatenate([np.diag(X), np.diag(X**2)])
HOLES = np.where(MASK == 0, 0.0, RIGHT)

CASES = {
    "transposed": ("transposed", SQUARE.T, SQUARE, {}),
    "transposed, other shape": ("transposed", CUBE.transpose(2, 0, 1), CUBE, {}),
    "transposed, reshaped": ("transposed", G.T.reshape(G.shape), G, {}),
    "sign": ("sign", -G, G, {}),
    "twice": ("factor", 2 * G, G, {}),
    "mean": ("factor", G.sum(0) / 5, G.sum(0), {"above": G, "jacobian": BIAS}),
    "minus half": ("factor", -G / 2, G, {}),
    "any factor": ("factor", 0.37 * G, G, {}),
    "one row": ("not summed", G[3], G.sum(0), {"above": G, "jacobian": BIAS}),
    "all rows": ("not summed", G, G.sum(0), {}),
    "all rows, kept": ("not summed", G, G.sum(0, keepdims=True), {}),
    "around": ("off by one", np.roll(G, 1, 0), G, {}),
    "shifted": ("off by one", np.append(ABOVE[1:], 0.0), ABOVE, {}),
    "reversed": ("reversed", G[::-1], G, {}),
    "diagonal": ("only the diagonal", ABOVE * np.diagonal(JACOBIAN), RIGHT,
                 {"above": ABOVE, "jacobian": JACOBIAN}),
    "no diagonal": ("partly detached", RIGHT - ABOVE * np.diagonal(JACOBIAN), RIGHT,
                    {"above": ABOVE, "jacobian": JACOBIAN}),
    "none": ("detached", None, G, {}),
    "zero": ("detached", 0 * G, G, {}),
    "mean is cut": ("partly detached", ABOVE, ABOVE - ABOVE.mean(), {}),
    "a factor is cut": ("partly detached", ABOVE * np.tanh(X), *GATED),
    "the other factor is cut": ("partly detached", ABOVE * X / np.cosh(X) ** 2, *GATED),
    "norm is cut": ("partly detached", ABOVE, ABOVE - X * (ABOVE @ X) / (X @ X), {"x": X}),
    "one result": ("partly detached", BOTH[:6].T @ TWO[0], BOTH.T @ np.concatenate(TWO),
                   {"above": TWO, "jacobian": BOTH}),
    "stale": ("stale", G, 2 * G + 1, {"earlier": G}),
    "mask ignored": ("mask ignored", RIGHT, HOLES, {}),
    "zeros": ("mask ignored", HOLES, RIGHT, {}),
    "symmetric": ("symmetric", (SQUARE + SQUARE.T) / 2, SQUARE, {}),
    "nan": ("not a number", np.where(G > 1, np.nan, G), G, {}),
    "wrong shape": ("wrong shape", np.ones(3), G, {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_pattern_is_named(case: str) -> None:
    name, wrong, right, more = CASES[case]
    sentence = name_fault(wrong, right, **more)
    assert sentence is not None
    assert sentence.startswith(name), sentence
    assert sentence.partition(":")[0] in PATTERNS


def test_factors_are_named_by_sizes() -> None:
    said = name_fault(G.sum(0) / 5, G.sum(0), above=G)
    assert said == "factor: the right numbers times 1/5 (the size of axis 0 of the result)"
    assert name_fault(3 * G, G, sizes={"the number of heads": 3}) == (
        "factor: the right numbers times 3 (the number of heads)"
    )


def test_what_is_right_and_what_has_no_pattern_have_no_name() -> None:
    assert name_fault(G * (1 + 1e-7), G) is None
    assert name_fault(RANDOM.normal(size=(5, 4)), G, above=G, jacobian=np.eye(20)) is None
    assert name_fault(np.array([0.7]), np.array([0.2])) is None
    assert name_fault(None, np.zeros(3)) is None
