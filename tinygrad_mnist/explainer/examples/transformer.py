"""Two layers of a transformer: attention, layer norms and a small network of two Linears."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Layer(nn.Module):
    """Attention with two heads, then a network for each place; what came in is added to both."""

    def __init__(self, size):
        super().__init__()
        self.norm1 = nn.LayerNorm(size)
        self.qkv = nn.Linear(size, 3 * size)
        self.out = nn.Linear(size, size)
        self.norm2 = nn.LayerNorm(size)
        self.network = nn.Sequential(
            nn.Linear(size, 2 * size), nn.GELU(), nn.Linear(2 * size, size)
        )

    def attention(self, x):
        """Each place's mixture of the others' values."""
        batch, places, size = x.shape
        q, k, v = self.qkv(x).view(batch, places, 3, 2, size // 2).permute(2, 0, 3, 1, 4)
        weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(size // 2), dim=-1)
        return self.out((weights @ v).transpose(1, 2).reshape(batch, places, size))

    def forward(self, x):
        """As many places as came in, each of the same size."""
        x = x + self.attention(self.norm1(x))
        return x + self.network(self.norm2(x))


class Transformer(nn.Module):
    """Numbers of words to scores of the next word."""

    def __init__(self, words=12, size=8):
        super().__init__()
        self.embedding = nn.Embedding(words, size)
        self.layers = nn.ModuleList([Layer(size), Layer(size)])
        self.head = nn.Linear(size, words)

    def forward(self, words):
        """A row of scores for each place."""
        x = self.embedding(words)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


torch.manual_seed(0)
model = Transformer()
words = torch.randint(0, 12, (2, 6))
scores = model(words[:, :-1])
loss = F.cross_entropy(scores.reshape(-1, 12), words[:, 1:].reshape(-1))
loss.backward()
print("loss", loss.item())
