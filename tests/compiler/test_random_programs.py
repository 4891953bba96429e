"""Random steps do the same uncompiled, replayed, and compiled, at any size, call after call."""

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import Phase, example, given, settings

import tinygrad_mnist as torch
from tests.compiler.programs import Recipe, assert_agree, recipes
from tinygrad_mnist.compiler import cache_entry
from tinygrad_mnist.compiler.codegen.writer import Unsupported
from tinygrad_mnist.kernels import team

SIZES = [(6, 8, 7, 5, 2, 1, 8), (8, 8, 5, 1, 3, 2), (1, 4, 7, 16, 33, 2), (3, 4, 5, 6, 2, 1, 17)]
RECIPES = recipes(SIZES)
MANY = settings().max_examples
"""How many programs are tried: few, or with HYPOTHESIS_PROFILE=thorough some hundreds."""
PHASES = [*Phase] if MANY > 100 else [Phase.explicit]
"""Of those that Numba compiles, which takes it seconds for each, few means one."""

A_MIXTURE = Recipe(
    (("cat -1 two", 1, 2), ("put column", 0), ("add view", 1), ("matmul two", 6, 7), ("cumsum", 2)),
    "float32", (4, 3), "momentum", True, True, 2, (6, 8, 7, 5, 2, 8),
)  # fmt: skip
ONE_CLASS = Recipe(
    (("abs", 0), ("abs", 2), ("abs", 0), ("abs", 0), ("abs", 9), ("cross two", 4, 0)),
    "float64", (4, 1), "sgd", False, False, 1, (6, 1, 1),
)  # fmt: skip
EMPTY_AT_ONE = Recipe(
    (("softmax 0", 0), ("tail", 1)), "float64", (4, 1), "adam", False, False, 1, SIZES[1]
)


def agree(recipe, make=torch.compile):
    before = torch.get_num_threads(), torch.get_default_dtype(), team.worth()
    torch.set_num_threads(recipe.threads)
    team.set_worth(64)  # loops are shared however small they are
    torch.set_default_dtype(getattr(torch, recipe.dtype))
    try:
        assert_agree(recipe, make)
    finally:
        torch.set_num_threads(before[0])
        torch.set_default_dtype(before[1])
        team.set_worth(before[2])


@pytest.mark.usefixtures("plain", "shared")
@settings(max_examples=MANY // 2)
@example(ONE_CLASS)
@example(EMPTY_AT_ONE)
@given(RECIPES)
def test_compiled_programs_do_what_the_functions_do(recipe):
    agree(recipe)


@pytest.mark.usefixtures("plain")
@settings(max_examples=MANY // 8)
@example(replace(A_MIXTURE, optimizer="adam"))
@given(RECIPES)
def test_programs_of_any_size_from_the_first_call_on(recipe):
    agree(recipe, partial(torch.compile, dynamic=True))


@settings(max_examples=MANY // 4)
@given(RECIPES)
def test_replayed_programs_do_what_the_functions_do(recipe):
    def refuse(program):
        raise Unsupported("this test")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache_entry, "build", refuse)
        agree(recipe)


@settings(max_examples=MANY // 10, phases=PHASES)
@example(A_MIXTURE)
@given(RECIPES)
def test_programs_compiled_by_numba_do_what_the_functions_do(recipe):
    agree(recipe)
