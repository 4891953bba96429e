"""Every public result has a type; `Any` is explained."""

from checks import typed


def test_every_result_is_typed_or_explained():
    assert typed.untyped() == typed.listed()


def test_what_is_counted():
    found = typed.results()
    assert len(found) > 750
    assert {
        "exp",
        "sum",
        "Tensor.shape",
        "nn.Linear.forward",
        "nn.functional.gelu",
        "optim.Optimizer.step",
    } <= {*found}
