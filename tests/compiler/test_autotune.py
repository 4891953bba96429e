"""How a product is computed is measured as it will be met."""

import dataclasses
import json

import numpy as np

from tinygrad_mnist.compiler import autotune


def test_a_new_operand_is_another_each_time(monkeypatch, loops):
    met = []
    monkeypatch.setattr(loops.products, "blas", lambda a, b, out: met.append(a.ctypes.data))
    batch = autotune.Product(False, False, 64, 784, 10, np.dtype(np.float32), new=True)
    batch._measured(["blas"])
    assert len(set(met)) > autotune._CALLS * autotune._ROUNDS // 2
    assert len(set(met[:10])) == 10
    met.clear()
    dataclasses.replace(batch, new=False)._measured(["blas"])
    assert len(set(met)) == 1


def test_the_quickest_is_chosen(monkeypatch, loops):
    monkeypatch.setattr(
        loops.products, "blas", lambda a, b, out: [np.dot(a, b) for _ in range(200)]
    )
    monkeypatch.setattr(loops.products, "few_columns", lambda a, b, out: None)
    product = autotune.Product(False, False, 16, 64, 10, np.dtype(np.float32))
    assert product._measured(["blas", "few_columns"]) == "few_columns"
    assert product._measured(["few_columns", "blas"]) == "few_columns"


def test_what_is_known_is_told_apart(monkeypatch):
    known = {}
    monkeypatch.setattr(autotune, "_known", lambda: known)
    monkeypatch.setattr(autotune, "_file", lambda: None)
    monkeypatch.setattr(autotune.Product, "_measured", lambda self, names: names[int(self.new)])
    product = autotune.Product(False, False, 64, 784, 10, np.dtype(np.float32))
    assert product.best() == "blas"
    assert dataclasses.replace(product, new=True).best() == "few_columns"
    assert dataclasses.replace(product, added=True).best() == "add_blas"
    assert len(known) == 2


def test_what_another_process_chose_meanwhile_stands(monkeypatch, tmp_path):
    file = tmp_path / "products.json"
    product = autotune.Product(False, False, 64, 784, 10, np.dtype(np.float32))
    monkeypatch.setattr(autotune, "_known", dict)
    monkeypatch.setattr(autotune, "_file", lambda: file)

    def measured(product, names):
        file.write_text(json.dumps({f"{product}, shared": "few_columns"}))
        return "blas"

    monkeypatch.setattr(autotune.Product, "_measured", measured)
    assert product.best() == "few_columns"
    assert list(json.loads(file.read_text()).values()) == ["few_columns"]
