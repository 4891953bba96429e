"""Recurrent layers, held to PyTorch's: numbers, random streams, errors, hooks, compiled steps."""

import itertools
import warnings

import numpy as np
import pytest
import torch

import tinygrad_mnist as ours

KINDS = ("RNN", "LSTM", "GRU")
SETTINGS = [
    {"num_layers": 2, "bidirectional": True, "dropout": 0.3},
    {"num_layers": 2, "batch_first": True, "bias": False, "dropout": 0.5},
    {"bidirectional": True, "batch_first": True},
]
CASES = [
    *itertools.product(KINDS, SETTINGS),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2}),
    ("LSTM", {"proj_size": 2, "bidirectional": True}),
]


def states_of(kind, hidden):
    return hidden if kind == "LSTM" else (hidden,)


def trained(engine, kind, settings, lengths):
    """What a layer starts with, gives, and passes back in both orders, all of one seed."""
    engine.manual_seed(3)
    layer = getattr(engine.nn, kind)(4, 5, **settings).double()
    start = [value.detach().clone() for value in layer.state_dict().values()]
    shape = (4, 3, 4) if settings.get("batch_first") else (3, 4, 4)
    x = engine.randn(*shape, dtype=engine.float64, requires_grad=True)
    given = x
    rnn = engine.nn.utils.rnn
    first = settings.get("batch_first", False)
    if lengths is not None:
        given = rnn.pack_padded_sequence(x, lengths, first, enforce_sorted=False)
    out, hidden = layer(given)
    if lengths is not None:
        out = rnn.pad_packed_sequence(out, first, padding_value=-1.0)[0]
    hidden = states_of(kind, hidden)
    loss = (out * out).sum() + sum((state**3).sum() for state in hidden)
    leaves = [x, *layer.parameters()]
    grads = engine.autograd.grad(loss, leaves, create_graph=True)
    second = engine.autograd.grad(sum((g * g).sum() for g in grads), leaves, retain_graph=True)
    loss.backward()
    plain = [leaf.grad for leaf in leaves]
    return list(layer.state_dict()), [*start, out, *hidden, *grads, *second, *plain, engine.rand(2)]


@pytest.mark.parametrize("lengths", [None, (1, 3, 2, 2)], ids=["whole", "packed"])
@pytest.mark.parametrize(("kind", "settings"), CASES)
def test_numbers_are_pytorchs(kind, settings, lengths):
    names, mine = trained(ours, kind, settings, lengths)
    expected, theirs = trained(torch, kind, settings, lengths)
    assert names == expected
    for have, want in zip(mine, theirs, strict=True):
        assert tuple(have.shape) == tuple(want.shape)
        want = want.detach().numpy()
        np.testing.assert_allclose(have.detach().numpy(), want, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_pytorch_serve_here(kind):
    theirs, mine = getattr(torch.nn, kind)(3, 4, 2), getattr(ours.nn, kind)(3, 4, 2)
    mine.load_state_dict({n: ours.tensor(v.numpy()) for n, v in theirs.state_dict().items()})
    assert [[tuple(w.shape) for w in ws] for ws in mine.all_weights] == [
        [tuple(w.shape) for w in ws] for ws in theirs.all_weights
    ]
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    for have, want in zip(mine(ours.tensor(x))[:1], theirs(torch.tensor(x))[:1], strict=True):
        np.testing.assert_allclose(have.detach().numpy(), want.detach().numpy(), atol=1e-6)


REFUSED = {
    "settings": [
        lambda t: t.nn.LSTM(2, 3, dropout=2),
        lambda t: t.nn.LSTM(2, 3, dropout=True),
        lambda t: t.nn.LSTM(2, 3, bias=1),
        lambda t: t.nn.LSTM(2.0, 3),
        lambda t: t.nn.LSTM(2, 0),
        lambda t: t.nn.LSTM(2, 3, 0),
        lambda t: t.nn.LSTM(2, 3, proj_size=3),
        lambda t: t.nn.LSTM(2, 3, proj_size=-1),
        lambda t: t.nn.GRU(2, 3, proj_size=1),
        lambda t: t.nn.RNN(2, 3, nonlinearity="sine"),
    ],
    "inputs": [
        lambda t: t.nn.RNN(2, 3)(t.ones(2)),
        lambda t: t.nn.GRU(2, 3)(t.ones(2, 1, 3)),
        lambda t: t.nn.GRU(2, 3)(t.ones(2, 1, 2).double()),
        lambda t: t.nn.GRU(2, 3)(t.ones(2, 1, 2), t.ones(1, 2, 3)),
        lambda t: t.nn.GRU(2, 3)(t.ones(2, 2), t.ones(1, 1, 3)),
        lambda t: t.nn.LSTM(2, 3)(t.ones(2, 1, 2), (t.ones(1, 3), t.ones(1, 3))),
        lambda t: t.nn.LSTM(2, 3)(t.ones(2, 1, 2), (t.ones(1, 1, 3), t.ones(1, 1, 2))),
        lambda t: t.nn.LSTMCell(2, 3)(t.ones(1, 1, 1)),
        lambda t: t.nn.LSTMCell(2, 3)(t.ones(1, 2), (t.ones(1, 3), t.ones(1, 1, 3))),
        lambda t: t.nn.GRUCell(2, 3)(t.ones(1, 2), t.ones(2, 3)),
        lambda t: t.nn.RNNCell(2, 3)(t.ones(1, 3)),
    ],
    "lengths": [
        lambda t: t.nn.utils.rnn.pack_padded_sequence(t.ones(3, 2), [1, 2]),
        lambda t: t.nn.utils.rnn.pack_padded_sequence(t.ones(3, 2), [2, 0]),
        lambda t: t.nn.utils.rnn.pack_padded_sequence(t.ones(3, 2), [2]),
        lambda t: t.nn.utils.rnn.pad_packed_sequence(
            t.nn.utils.rnn.pack_sequence([t.ones(3)]), total_length=2
        ),
    ],
}


@pytest.mark.parametrize("job", [job for jobs in REFUSED.values() for job in jobs])
def test_errors_are_pytorchs(job):
    told = []
    for engine in (ours, torch):
        with pytest.raises((RuntimeError, ValueError, TypeError)) as caught:
            job(engine)
        told.append((caught.type, str(caught.value).replace("tinygrad_mnist.", "torch.")))
    assert told[0] == told[1]


def test_dropout_of_one_layer_is_warned_of_as_by_pytorch():
    told = []
    for engine in (ours, torch):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            engine.nn.LSTM(2, 3, dropout=0.5)
        told += [(each.category, str(each.message)) for each in caught]
    assert told[0] == told[1]


def test_hooks_and_gradients_of_states():
    lstm = ours.nn.LSTM(2, 3)
    seen = []
    lstm.register_forward_hook(lambda module, given, result: seen.append(result[0].shape))
    h, c = (ours.zeros(1, 4, 3, requires_grad=True) for _ in range(2))
    out, _ = lstm(ours.ones(5, 4, 2), (h, c))
    out.register_hook(lambda g: seen.append(g.shape))
    out[-1].sum().backward()
    assert seen == [out.shape] * 2
    assert h.grad.abs().sum() > 0
    assert c.grad.abs().sum() > 0


def test_a_state_that_was_changed_in_place_is_noticed():
    gru = ours.nn.GRU(2, 3)
    out, _ = gru(ours.ones(5, 4, 2))
    with ours.no_grad():
        gru.weight_hh_l0.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


@pytest.mark.parametrize("kind", KINDS)
def test_no_sequences(kind):
    out, _ = getattr(ours.nn, kind)(3, 4)(ours.zeros(5, 0, 3))
    assert out.shape == (5, 0, 4)
    out.sum().backward()


def test_a_compiled_step_trains_alike():
    def trained(compiled):
        ours.manual_seed(0)
        lstm = ours.nn.LSTM(3, 4)
        optimizer = ours.optim.SGD(lstm.parameters(), lr=0.1)

        def step(x):
            optimizer.zero_grad()
            loss = (lstm(x)[0] ** 2).sum()
            loss.backward()
            optimizer.step()
            return loss

        run = ours.compile(step, fullgraph=True) if compiled else step
        return [run(ours.ones(6, 2, 3)).item() for _ in range(3)]

    np.testing.assert_allclose(trained(True), trained(False), rtol=1e-5)
