"""PyTorch-style code as people write it: type checkers find nothing wrong, and know every type."""

from collections.abc import Iterator
from typing import assert_type

import tinygrad_mnist as torch
import tinygrad_mnist.nn.functional as F
from tinygrad_mnist import Tensor, nn, optim
from tinygrad_mnist.utils.data import DataLoader, Dataset, TensorDataset


class Network(nn.Module):
    def __init__(self, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.hidden = nn.Linear(784, width)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, 10, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.hidden(x.view(x.size(0), -1)))
        assert_type(x, Tensor)
        return F.log_softmax(self.output(self.dropout(x)), dim=1)


def tensors() -> None:
    x = torch.randn(2, 3, requires_grad=True)
    y = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float32)
    assert_type(x, Tensor)
    assert_type(torch.exp(x), Tensor)
    assert_type(x + y * 2 - 1 / y, Tensor)
    assert_type(2**x @ y.T, Tensor)
    assert_type(x > 0, Tensor)
    assert_type(x[0, 1:], Tensor)
    assert_type(x.sum(dim=0, keepdim=True), Tensor)
    assert_type(x.mean(), Tensor)
    assert_type(x.shape, torch.Size)
    assert_type(x.size(), torch.Size)
    assert_type(x.size(0), int)
    assert_type(x.dtype, torch.dtype)
    assert_type(x.device, torch.device)
    assert_type(x.grad, Tensor | None)
    assert_type(x.sum().item(), bool | int | float)
    assert_type(torch.cat([x, y], dim=0), Tensor)
    assert_type(torch.stack((x, x)), Tensor)
    assert_type(x.reshape(3, 2).permute(1, 0).contiguous(), Tensor)
    assert_type(x.to(torch.float64).to("cpu"), Tensor)
    assert_type(torch.where(x > 0, x, 0.0), Tensor)
    assert_type(x.backward(torch.ones(2, 3)), None)
    values, indices = torch.max(x, 1)
    assert_type(values, Tensor)
    assert_type(indices, Tensor)
    assert_type(torch.max(x), Tensor)
    assert_type(x.max(dim=1).indices, Tensor)
    assert_type(torch.sort(x).values, Tensor)
    assert_type(torch.topk(x, 2)[0], Tensor)
    z = torch.Tensor([1.0, 2.0]) + x.detach().sum()
    z.clamp_(min=0.0).add_(1, alpha=2)
    z[z < 0] = 0
    with torch.no_grad():
        x -= 0.1 * x


def layers() -> None:
    assert_type(nn.Linear(2, 3)(torch.ones(2)), Tensor)
    assert_type(
        nn.Conv2d(1, 16, kernel_size=3, stride=2, padding=1)(torch.ones(1, 1, 8, 8)), Tensor
    )
    assert_type(nn.ReLU(inplace=True)(torch.ones(2)), Tensor)
    assert_type(nn.BatchNorm2d(3)(torch.ones(1, 3, 2, 2)), Tensor)
    assert_type(
        nn.CrossEntropyLoss(label_smoothing=0.1)(torch.ones(2, 3), torch.tensor([0, 1])), Tensor
    )
    assert_type(nn.Sequential(nn.Flatten(), nn.Linear(4, 2))(torch.ones(1, 4)), Tensor)
    assert_type(nn.Linear(2, 3).weight, nn.Parameter)
    assert_type(nn.Embedding(10, 3)(torch.tensor([1])), Tensor)
    assert_type(F.cross_entropy(torch.ones(2, 3), torch.tensor([0, 1])), Tensor)
    assert_type(F.max_pool2d(torch.ones(1, 1, 4, 4), 2), Tensor)


class Squares(Dataset[tuple[Tensor, int]]):
    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.tensor(float(index)), index**2


def data() -> Iterator[Tensor]:
    number, square = Squares()[3]
    assert_type(number, Tensor)
    assert_type(square, int)
    for images, labels in DataLoader(
        TensorDataset(torch.rand(64, 784), torch.zeros(64)), batch_size=8
    ):
        assert_type(images, Tensor)
        yield labels


def train(model: Network, loader: DataLoader[tuple[Tensor, ...]], epochs: int) -> list[float]:
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    losses: list[float] = []
    for _ in range(epochs):
        model.train()
        for batch in loader:
            images, labels = batch
            loss = F.nll_loss(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.item()))
        schedule.step()
    torch.save(model.state_dict(), "model.pt")
    model.load_state_dict(torch.load("model.pt"))
    return losses


def gradients() -> None:
    x = torch.ones(3, requires_grad=True)
    (slope,) = torch.autograd.grad((x * x).sum(), x)
    assert_type(slope, Tensor)
    handle = x.register_hook(lambda gradient: gradient * 2)
    handle.remove()
    step = torch.compile(lambda a: a * 2)
    print(step(x))


if __name__ == "__main__":
    tensors()
    layers()
    gradients()
    print(len(list(data())))
