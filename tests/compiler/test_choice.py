"""How a product is computed is measured as it will be met."""

import numpy as np

from tinygrad_mnist.compiler import choice, products


def test_a_new_operand_is_another_each_time(monkeypatch):
    met = []
    monkeypatch.setattr(products, "blas", lambda a, b, out: met.append(a.ctypes.data))
    choice._measured(["blas"], False, False, 64, 784, 10, np.dtype(np.float32), True)
    assert len(set(met)) > choice._CALLS * choice._ROUNDS // 2
    assert len(set(met[:10])) == 10
    met.clear()
    choice._measured(["blas"], False, False, 64, 784, 10, np.dtype(np.float32), False)
    assert len(set(met)) == 1


def test_the_quickest_is_chosen(monkeypatch):
    monkeypatch.setattr(products, "blas", lambda a, b, out: [np.dot(a, b) for _ in range(200)])
    monkeypatch.setattr(products, "few_columns", lambda a, b, out: None)
    case = (False, False, 16, 64, 10, np.dtype(np.float32))
    assert choice._measured(["blas", "few_columns"], *case, new=True) == "few_columns"
    assert choice._measured(["few_columns", "blas"], *case, new=False) == "few_columns"


def test_what_is_known_is_told_apart(monkeypatch):
    known = {}
    monkeypatch.setattr(choice, "_known", lambda: known)
    monkeypatch.setattr(choice, "_keep", lambda known: None)
    monkeypatch.setattr(choice, "_measured", lambda names, *case: names[-1 if case[-1] else 0])
    case = (False, False, 64, 784, 10, np.dtype(np.float32))
    assert choice.best(*case) == "blas"
    assert choice.best(*case, new=True) == "few_columns"
    assert len(known) == 2
