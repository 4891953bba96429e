"""Every layer is made and called as in PyTorch: parameters, defaults, errors, attributes."""

import copy
import inspect
import pickle

import pytest
import torch

import tinygrad_mnist as ours
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.nn.modules.functional_layer import Layer

CLASSES = [name for name in ours.nn.modules.__all__ if hasattr(torch.nn, name)]
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor")
CONTAINERS = {"Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential",
              "Transformer", "TransformerDecoder", "TransformerEncoder"}  # fmt: skip
LAYERS = [name for name in CLASSES if name not in CONTAINERS]
ARGUMENTS = {
    "Bilinear": (2, 2, 2),
    "Conv1d": (2, 2, 1),
    "Conv2d": (2, 2, 1),
    "Conv3d": (2, 2, 1),
    "ConvTranspose1d": (2, 2, 1),
    "ConvTranspose2d": (2, 2, 1),
    "ConvTranspose3d": (2, 2, 1),
    "Embedding": (3, 2),
    "Fold": ((4, 4), 2),
    "GRU": (2, 2),
    "GroupNorm": (1, 2),
    "LPPool1d": (2, 2),
    "LPPool2d": (2, 2),
    "LPPool3d": (2, 2),
    "LSTM": (2, 2),
    "Linear": (2, 2),
    "RNN": (2, 2),
    "RNNBase": ("LSTM", 2, 2),
    "MultiheadAttention": (2, 2),
    "Threshold": (1, 2),
    "Unflatten": (1, (1, 2)),
}


def arguments(cls):
    """As few arguments as the class can be made with."""
    if cls.__name__ in ARGUMENTS:
        return ARGUMENTS[cls.__name__]
    needed = [
        p
        for p in inspect.signature(cls).parameters.values()
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    return (2,) * len(needed)


def both(name):
    return getattr(ours.nn, name), getattr(torch.nn, name)


def parameters(function):
    found = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, getattr(p.default, "__name__", p.default)) for p in found]


@pytest.mark.parametrize("name", CLASSES)
def test_parameters_are_pytorchs(name):
    mine, theirs = both(name)
    assert parameters(mine) == parameters(theirs)
    if name in LAYERS:
        assert parameters(mine.forward) == parameters(theirs.forward)
        assert mine.__doc__
        assert mine.forward.__doc__


def refused(job):
    """The error's message, without the name of the class that the method stands in."""
    with pytest.raises(TypeError) as caught:
        job()
    return str(caught.value).split(".", 1)[-1]


@pytest.mark.parametrize("name", [name for name in LAYERS if not name.endswith("Base")])
def test_wrong_arguments_are_refused_in_pytorchs_words(name):
    mine, theirs = both(name)
    if name not in ("Identity", "RNN"):  # its fourth argument is looked at first
        assert refused(lambda: mine(*range(30))) == refused(lambda: theirs(*range(30)))
        given = arguments(theirs)
        assert refused(lambda: mine(*given, zz=1)) == refused(lambda: theirs(*given, zz=1))
    if name.startswith("Lazy"):  # which looks at what it is given first
        return
    made = [cls(*arguments(theirs)) for cls in (mine, theirs)]
    for call in ((), range(9)):
        texts = [refused(lambda layer=layer, call=call: layer(*call)) for layer in made]
        assert texts[0] == texts[1]
    texts = [refused(lambda layer=layer: layer(1, zz=2)) for layer in made]
    assert texts[0] == texts[1]


def attributes(module):
    public = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    return {n: v for n, v in public.items() if not callable(v)} | {"repr": repr(module)}


@pytest.mark.parametrize("name", LAYERS)
def test_attributes_are_pytorchs(name):
    mine, theirs = both(name)
    given = arguments(theirs)
    module = mine(*given)
    assert attributes(module) == attributes(theirs(*given))
    for kept in (copy.copy(module), copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert attributes(kept) == attributes(module)


def test_annotations_are_the_functions():
    signature = inspect.signature(ours.nn.ELU, eval_str=True)
    assert signature.parameters["alpha"].annotation is float
    forward = inspect.signature(ours.nn.ELU.forward)
    assert forward.return_annotation == inspect.signature(F.elu).return_annotation


def test_methods_belong_to_the_class():
    for method in (ours.nn.ELU.__init__, ours.nn.ELU.forward):
        assert method.__module__ == ours.nn.ELU.__module__
        assert method.__qualname__ == f"ELU.{method.__name__}"
        assert ours.__path__[0] in method.__code__.co_filename


def test_subclasses_of_users():
    class Steep(ours.nn.ELU):
        def __init__(self):
            super().__init__(alpha=3.0)

    class Twice(Steep):
        def forward(self, input):
            return super().forward(input) * 2

    x = ours.tensor([-1.0, 1.0])
    assert ours.equal(Twice()(x), F.elu(x, 3.0) * 2)
    assert repr(Twice()) == "Twice(alpha=3.0)"
    assert not inspect.signature(Steep).parameters
    with pytest.raises(TypeError):
        type("Wrong", (ours.nn.ELU,), {}, unknown=1)


def test_an_attribute_of_the_users_is_not_shown():
    layer = ours.nn.Linear(2, 3)
    layer.inplace = True
    assert repr(layer) == "Linear(in_features=2, out_features=3, bias=True)"


def test_a_layer_of_ones_own_function():
    class Scaled(Layer, of=F.leaky_relu, values={"negative_slope": 0.5}, shows="{negative_slope}"):
        """x for x > 0, x / 2 below."""

    assert repr(Scaled()) == "Scaled(0.5)"
    assert Scaled()(ours.tensor([-2.0])).item() == -1
