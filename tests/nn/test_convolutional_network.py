"""PyTorch's tutorial network of three convolutions takes the same path on both engines."""

import numpy as np
import torch

import tinygrad_mnist as ours


def losses(engine, steps):
    """The losses of a training run with momentum from one seed, batch 64, in double precision."""
    nn, functional = engine.nn, engine.nn.functional
    engine.manual_seed(0)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 16, kernel_size=3, stride=2, padding=1)
            self.conv2 = nn.Conv2d(16, 16, kernel_size=3, stride=2, padding=1)
            self.conv3 = nn.Conv2d(16, 10, kernel_size=3, stride=2, padding=1)

        def forward(self, x):
            x = functional.relu(self.conv1(x.view(-1, 1, 28, 28)))
            x = functional.relu(self.conv2(x))
            x = functional.relu(self.conv3(x))
            return functional.avg_pool2d(x, 4).view(-1, x.size(1))

    network = Network().double()
    optimizer = engine.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    rng = np.random.default_rng(0)
    path = []
    for _ in range(steps):
        labels = rng.integers(0, 10, 64)
        # A bright bar whose place tells the class, in noise.
        images = rng.random((64, 28, 28))
        images[np.arange(64), 2 * labels + 4] += 1
        x = engine.tensor(images.reshape(64, 784), dtype=engine.float64)
        loss = functional.cross_entropy(network(x), engine.tensor(labels))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        path.append(loss.item())
    return path


def test_both_engines_take_the_same_path():
    path = losses(ours, 60)
    np.testing.assert_allclose(path, losses(torch, 60), rtol=1e-9)
    assert min(path[-10:]) < 0.9 * path[0]
