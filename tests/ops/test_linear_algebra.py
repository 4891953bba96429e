"""Factors of matrices beside PyTorch's: numbers, names, refusals. The rest is in the tables."""

import numpy as np
import pytest
import torch

import tinygrad_mnist

ENGINES = (tinygrad_mnist, torch)
MATRIX = np.random.default_rng(0).normal(size=(2, 4, 3))


def both(of, *arrays):
    """What both engines make of the arrays, as arrays."""
    found = [of(engine, *[engine.tensor(array) for array in arrays]) for engine in ENGINES]
    return [[each.numpy() for each in results] for results in found]


def test_signs_of_factors_are_those_of_pytorch():
    """Of singular vectors and eigenvectors they depend on whose LAPACK it is."""
    for of in (lambda t, x: t.linalg.qr(x), lambda t, x: t.linalg.qr(x, "complete")):
        for ours, theirs in zip(*both(of, MATRIX), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_eigenvectors_and_singular_vectors_but_for_their_signs():
    for of in (lambda t, x: t.linalg.eigh(x @ x.mT), lambda t, x: t.linalg.svd(x),
               lambda t, x: t.svd(x.mT)):  # fmt: skip
        for ours, theirs in zip(*both(of, MATRIX[:, :3]), strict=True):
            np.testing.assert_allclose(abs(ours), abs(theirs), rtol=1e-9, atol=1e-12)


def test_results_print_as_those_of_pytorch():
    square = MATRIX[0, :3] @ MATRIX[0, :3].T
    for of in (lambda t, x: t.linalg.qr(x), lambda t, x: t.linalg.slogdet(x),
               lambda t, x: t.linalg.cholesky_ex(x), lambda t, x: t.linalg.inv_ex(x),
               lambda t, x: t.slogdet(x)):  # fmt: skip
        ours, theirs = [str(of(engine, engine.tensor(square))) for engine in ENGINES]
        assert ours == theirs


@pytest.mark.parametrize("name", ["inv", "solve", "cholesky"])
def test_singular_matrices_are_refused_in_pytorch_s_words(name):
    singular = np.zeros((3, 2, 2)) + np.eye(2)
    singular[1, 1, 1] = 0
    for matrix in (singular, singular[1]):
        rest = [np.ones((2, 1))] if name == "solve" else []
        words = []
        for engine in ENGINES:
            with pytest.raises(engine.linalg.LinAlgError) as caught:
                getattr(engine.linalg, name)(*[engine.tensor(x) for x in (matrix, *rest)])
            assert isinstance(caught.value, RuntimeError)
            words.append(str(caught.value))
        assert words[0] == words[1]


def test_what_would_be_complex_is_refused():
    for name in ("eig", "eigvals"):
        with pytest.raises(NotImplementedError, match="complex"):
            getattr(tinygrad_mnist.linalg, name)


@pytest.mark.filterwarnings("ignore:compile. the operation")
def test_compiled_as_uncompiled():
    matrix = tinygrad_mnist.tensor(MATRIX[:, :3] + 3 * np.eye(3)).requires_grad_()

    def loss():
        L = tinygrad_mnist.linalg.cholesky(matrix @ matrix.mT)
        Q, R = tinygrad_mnist.linalg.qr(matrix)
        total = (tinygrad_mnist.linalg.solve(matrix, L) * Q).sum() + matrix.logdet().sum() + R.sum()
        total.backward()
        return total.detach()

    expected = loss().item(), matrix.grad.numpy().copy()
    step = tinygrad_mnist.compile(loss)
    for _ in range(2):
        matrix.grad = None
        assert step().item() == pytest.approx(expected[0])
        np.testing.assert_allclose(matrix.grad.numpy(), expected[1])
