"""Mistakes that type checkers must find: each line that is marked, and no other."""

import tinygrad_mnist as torch
import tinygrad_mnist.nn.functional as F
from tinygrad_mnist import nn, optim
from tinygrad_mnist.utils.data import DataLoader

x = torch.ones(2, 3)

x.shpae  # wrong
x.sum(dim="rows")  # wrong
torch.sum(x, dim="rows")  # wrong
torch.zeros(2, dtype="float32")  # wrong
x.to(dtype=1.5)  # wrong
torch.exp("x")  # wrong
torch.epx(x)  # wrong
torch.exp(x, 2, 3)  # wrong
x + "1"  # wrong
x.reshape("2", 3)  # wrong
torch.cat(x, dim=[0])  # wrong
torch.softmax(x, dim=None)  # wrong
torch.max(x, 0).value  # wrong
torch.matmul(x, 2)  # wrong
x.backward(gradient=1.0)  # wrong
x.requires_grad = "yes"  # wrong
x.grad.zero_()  # wrong
nn.Linear("2", 3)  # wrong
nn.Linear(2)  # wrong
nn.Linear(2, 3)(x).shpae  # wrong
nn.ReLU(inplace="yes")  # wrong
nn.Dropout(prob=0.5)  # wrong
nn.CrossEntropyLoss(reduction=3)  # wrong
F.relu(x, inplace="no")  # wrong
F.cross_entropy(x)  # wrong
F.dropout(x, p="half")  # wrong
optim.SGD(nn.Linear(2, 3).parameters(), lr="fast")  # wrong
optim.Adam(nn.Linear(2, 3).parameters(), beta=0.9)  # wrong
torch.arange(10).view(2, 5).t().lenght  # wrong
torch.manual_seed("zero")  # wrong
torch.randn(2, generator=3)  # wrong
DataLoader([1, 2, 3], batch_size="4")  # wrong
torch.save(x)  # wrong
torch.tensor([1.0]).item().foo  # wrong
