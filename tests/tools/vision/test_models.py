"""Models beside torchvision's: names, first weights, what they make, the weights that they load."""

import warnings

import pytest
import torch

from tinygrad_mnist.tools.vision import models

SHAPES = [
    "alexnet",
    "vgg11_bn",
    "resnext50_32x4d",
    "densenet121",
    "squeezenet1_0",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "efficientnet_b5",
    "efficientnet_v2_s",
    "vit_b_32",
]
"""Of each family one: what is said of others is in the same tables."""
SMALL = [
    ("squeezenet1_1", {"num_classes": 3}),
    ("mobilenet_v3_small", {}),
    ("mobilenet_v2", {"width_mult": 0.25, "num_classes": 5}),
    ("resnet18", {"zero_init_residual": True, "norm_layer": lambda n: torch.nn.GroupNorm(8, n)}),
    ("DenseNet", {"growth_rate": 4, "block_config": (2, 3), "memory_efficient": True}),
    ("efficientnet_b0", {"stochastic_depth_prob": 0.5}),
    ("VisionTransformer", {
        "image_size": 64, "patch_size": 16, "num_layers": 2, "num_heads": 2, "hidden_dim": 8,
        "mlp_dim": 16, "representation_size": 6, "dropout": 0.1,
    }),
]  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_the_same_modules(name, theirs):
    with torch.device("meta"):
        ours, other = getattr(models, name)(), getattr(theirs.models, name)()
    shapes = [{key: each.shape for key, each in m.state_dict().items()} for m in (ours, other)]
    assert list(shapes[0].items()) == list(shapes[1].items())
    assert repr(ours) == repr(other)


@pytest.mark.parametrize(("name", "settings"), SMALL)
def test_the_same_numbers(name, settings, theirs):
    """First weights for a seed, what is made of a picture, and its gradients in training."""
    found = []
    for package in (models, theirs.models):
        torch.manual_seed(3)
        model = getattr(package, name)(**settings)
        picture = torch.randn(2, 3, 64, 64)
        made = model(picture)
        made.square().mean().backward()
        grads = [each.grad for each in model.parameters()]
        state = {key: each.clone() for key, each in model.state_dict().items()}
        found.append((state, made, grads, model.eval()(picture)))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


def test_weights(theirs):
    """Each enum has torchvision's members, files and pictures; the names of classes are refused."""
    for name in models.list_models():
        ours, other = models.get_model_weights(name), theirs.models.get_model_weights(name)
        members = [each for each in other.__members__ if each != "IMAGENET1K_FEATURES"]
        assert list(ours.__members__) == members
        assert ours.__name__ == other.__name__
        for member in members:
            assert repr(ours[member]) == repr(other[member])
            assert ours[member].url == other[member].url
            assert repr(ours[member].transforms()) == repr(other[member].transforms())
    assert models.get_weight("ResNet50_Weights.DEFAULT") is models.ResNet50_Weights.IMAGENET1K_V2
    with pytest.raises(NotImplementedError, match="thousand classes"):
        models.AlexNet_Weights.DEFAULT.meta["categories"]
    with pytest.raises(NotImplementedError, match="only models that tell"):
        models.detection  # noqa: B018
    picture = torch.rand(3, 30, 40)
    preset = models.ViT_B_16_Weights.IMAGENET1K_SWAG_LINEAR_V1.transforms()
    other = theirs.models.ViT_B_16_Weights.IMAGENET1K_SWAG_LINEAR_V1.transforms()
    assert torch.equal(preset(picture), other(picture))


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A cache folder that holds weights of a small squeezenet's shapes, under all names."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    model = models.squeezenet1_1()
    for each in models.SqueezeNet1_1_Weights:
        torch.save(model.state_dict(), folder / each.url.rpartition("/")[2])
    return model


def test_weights_from_the_cache(kept, theirs):
    """By enum, by name, and as before torchvision 0.13, with its warnings."""
    kind = models.SqueezeNet1_1_Weights.DEFAULT
    for given, settings, warned in [
        ((), {"weights": kind}, 0), ((), {"weights": "DEFAULT", "num_classes": 1000}, 0),
        ((), {"pretrained": True}, 2), ((True,), {}, 2), ((), {"weights": True}, 1),
    ]:  # fmt: skip
        told = []
        for package in (models, theirs.models):
            if settings.get("weights") is kind and package is not models:
                settings["weights"] = theirs.models.SqueezeNet1_1_Weights.DEFAULT
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                made = package.squeezenet1_1(*given, **settings)
            told.append([str(each.message) for each in caught])
            assert torch.equal(made.features[0].weight, kept.features[0].weight)
        assert told[0] == told[1]
        assert len(told[0]) == warned
    with pytest.raises(ValueError, match="expected value 1000 but got 7 instead"):
        models.squeezenet1_1(weights=kind, num_classes=7)
    with pytest.raises(TypeError, match="expected ResNet18_Weights but received"):
        models.resnet18(weights=kind)
