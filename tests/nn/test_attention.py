"""Attention and transformers: outputs, weights, gradients, warnings and errors as PyTorch's."""

import itertools
import warnings

import numpy as np
import pytest

from .agreement import agree

LAYERS = (
    {}, {"batch_first": True, "dropout": 0.3}, {"add_bias_kv": True, "add_zero_attn": True},
    {"kdim": 5, "vdim": 6, "bias": False, "batch_first": True},
)  # fmt: skip
MASKS = (
    ("", ""), ("bool", ""), ("float", ""), ("", "bool"), ("bool", "bool"), ("float", "float"),
    ("heads", "bool"),
)  # fmt: skip


def mask_of(engine, kind, *shape):
    if kind == "float":
        return engine.randn(*shape)
    hidden = np.random.default_rng(len(shape)).random(shape) < 0.5
    return engine.tensor(hidden) if kind else None


def attend(engine, settings, itself, batched, masks, training, needs):
    """One call of a layer, and the gradients of all that it depends on."""
    layer = engine.nn.MultiheadAttention(8, 2, **settings).train(training)
    batch = (2,) if batched else ()

    def sequence(length, size):
        shape = (*batch, length) if settings.get("batch_first") else (length, *batch)
        return engine.randn(*shape, size, requires_grad=True)

    query = sequence(3, 8)
    key, value = query, query
    if not itself:
        key, value = (sequence(4, settings.get(name, 8)) for name in ("kdim", "vdim"))
    count = 3 if itself else 4
    heads = (2 * (2 if batched else 1),) if masks[0] == "heads" else ()
    out, weights = layer(
        query, key, value, attn_mask=mask_of(engine, masks[0], *heads, 3, count),
        key_padding_mask=mask_of(engine, masks[1], *batch, count), need_weights=needs > 0,
        average_attn_weights=needs > 1,
    )  # fmt: skip
    (out * out).sum().backward()
    return out, weights, query.grad, [each.grad for each in layer.parameters()], repr(layer)


@pytest.mark.parametrize("settings", LAYERS)
def test_multihead_attention(settings):
    both = (True, False)
    cases = itertools.product(both, both, MASKS, both, (0, 1, 2))
    for n, (itself, *case) in enumerate(cases):
        if n % 11 == 0:
            itself = itself and "kdim" not in settings
            agree(lambda engine, i=itself, c=tuple(case): attend(engine, settings, i, *c), 3e-5)


def test_inference_gives_nan_where_nothing_may_be_looked_at():
    def job(engine):
        layer = engine.nn.MultiheadAttention(8, 2, batch_first=True).eval()
        x = engine.randn(2, 3, 8)
        padding = engine.tensor([[False, False, True], [True, True, True]])
        with engine.no_grad():
            return [layer(x, x, x, padding, need_weights=needs) for needs in (False, True)]

    agree(job, 1e-5)


@pytest.mark.parametrize("call", [
    lambda F, x: F(x[0, 0, 0], x, x), lambda F, x: F(x, x.double(), x),
    lambda F, x: F(x, x, x, x[0, 0].long()), lambda F, x: F(x[0], x[0], x[0], x[0], 0.0, True),
    lambda F, x: F(x, x[:, :1].expand(2, 3, 4, 4), x, enable_gqa=True),
    lambda F, x: F(x, x, x, dropout_p=2.0), lambda F, x: F(x.long(), x.long(), x.long()),
    lambda F, x: F(x, x[:, :1], x[:, :1], enable_gqa=True),
    lambda F, x: F(x, x, x, x[0, 0] > 0, scale=-0.5),
    lambda F, x: F(x, x, x, (x[0, 0] > 0) & (x[0, 0] > 1)),
    lambda F, x: F(x, x, x, x[0, 0], is_causal=True),
    lambda F, x: F(x, x, x, dropout_p=0.4, is_causal=True),
])  # fmt: skip
def test_scaled_dot_product_attention(call):
    def job(engine):
        x = engine.randn(2, 2, 4, 4)
        return call(engine.nn.functional.scaled_dot_product_attention, x)

    agree(job, 1e-5)


def sequences(engine, settings, *lengths):
    first = settings.get("batch_first")
    return [engine.randn(*((2, n) if first else (n, 2)), 8) for n in lengths]


STACKS = (
    {}, {"batch_first": True}, {"norm_first": True, "batch_first": True, "bias": False},
    {"activation": "gelu", "norm_first": True, "dropout": 0.2},
)  # fmt: skip


@pytest.mark.parametrize("settings", STACKS)
def test_transformer_encoder(settings):
    for training, grad, causal, padded in itertools.product([True, False], repeat=4):

        def job(engine, training=training, grad=grad, causal=causal, padded=padded):
            layer = engine.nn.TransformerEncoderLayer(8, 2, 16, **settings)
            model = engine.nn.TransformerEncoder(layer, 2, engine.nn.LayerNorm(8)).train(training)
            (x,) = sequences(engine, settings, 4)
            mask = engine.nn.Transformer.generate_square_subsequent_mask(4) if causal else None
            padding = None
            if padded:
                padding = engine.tensor([[False, False, True, True], [False, False, False, True]])
            with engine.set_grad_enabled(grad), warnings.catch_warnings():
                warnings.filterwarnings("ignore", "The PyTorch API of nested tensors")
                out = model(x, mask, padding)
            if grad:
                (out * out * out).sum().backward()
            return out, [each.grad for each in model.parameters()], repr(model)

        agree(job, 1e-4)


@pytest.mark.parametrize("settings", STACKS)
def test_transformer(settings):
    for training in (True, False):

        def job(engine, training=training):
            model = engine.nn.Transformer(8, 2, 1, 2, 16, **settings).train(training)
            source, target = sequences(engine, settings, 4, 3)
            padding = engine.tensor([[False, False, True, True], [False, False, False, True]])
            mask = model.generate_square_subsequent_mask(3)
            out = model(
                source, target, tgt_mask=mask, src_key_padding_mask=padding,
                memory_key_padding_mask=padding,
            )  # fmt: skip
            (out * out * out).sum().backward()
            return out, [each.grad for each in model.parameters()], list(model.state_dict())

        agree(job, 1e-4)


def test_dropout_draws_in_the_order_of_memory():
    def job(engine):
        x = engine.ones(3, 4, 5)
        functions = engine.nn.functional.dropout, engine.nn.functional.alpha_dropout
        return [f(y, 0.5, True) for f in functions for y in (x.permute(2, 0, 1), x[:, ::2])]

    agree(job, 1e-6)
