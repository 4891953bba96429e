"""What a first lesson about tensors shows."""

import numpy as np
import torch

torch.manual_seed(11)
data = [[1, 2], [3, 4]]
x_data = torch.tensor(data)
np_array = np.array(data)
x_np = torch.from_numpy(np_array)
x_ones = torch.ones_like(x_data)
print(f"Ones Tensor: \n {x_ones} \n")
x_rand = torch.rand_like(x_data, dtype=torch.float)
print(f"Random Tensor: \n {x_rand} \n")
shape = (2, 3)
print(torch.rand(shape), torch.ones(shape), torch.zeros(shape), torch.empty(0))

tensor = torch.rand(3, 4)
print(f"Shape of tensor: {tensor.shape}")
print(f"Datatype of tensor: {tensor.dtype}")
print(f"Device tensor is stored on: {tensor.device}")
if torch.cuda.is_available():
    tensor = tensor.to("cuda")
if torch.accelerator.is_available():
    tensor = tensor.to(torch.accelerator.current_accelerator())

tensor = torch.ones(4, 4)
print(f"First row: {tensor[0]}")
print(f"First column: {tensor[:, 0]}")
print(f"Last column: {tensor[..., -1]}")
tensor[:, 1] = 0
print(tensor)
t1 = torch.cat([tensor, tensor, tensor], dim=1)
print(t1)
y1 = tensor @ tensor.T
y2 = tensor.matmul(tensor.T)
y3 = torch.rand_like(y1)
torch.add(tensor, 1)
z1 = tensor * tensor
z2 = tensor.mul(tensor)
print(torch.equal(y1, y2), torch.allclose(z1, z2), y3.shape)
agg = tensor.sum()
agg_item = agg.item()
print(agg_item, type(agg_item))
tensor.add_(5)
print(tensor)
t = torch.ones(5)
n = t.numpy()
t.add_(1)
print(f"t: {t}", f"n: {n}")
n = np.ones(5)
t = torch.from_numpy(n)
np.add(n, 1, out=n)
print(f"t: {t}", f"n: {n}")

print(torch.arange(12).reshape(3, 4).permute(1, 0).contiguous().view(-1))
print(torch.stack([torch.zeros(2), torch.ones(2)]), torch.arange(6).chunk(3), x_data.tolist())
print(torch.where(tensor > 5.5, tensor, torch.zeros(())), tensor.argmax(), tensor.max(dim=1))
print(torch.randperm(5), torch.randint(0, 10, (3,)), torch.normal(0.0, 1.0, (2,)))
print(tensor.type(), tensor.to(torch.int64).dtype, tensor.size(0), tensor.dim(), tensor.numel())
print(torch.nn.functional.one_hot(torch.tensor([0, 2]), num_classes=3))
print(torch.einsum("ij,jk->ik", torch.ones(2, 3), torch.ones(3, 2)))
print(torch.tensor(3.14159).item(), torch.tensor([1.5, float("nan"), float("inf")]))
print(torch.sort(torch.tensor([3, 1, 2])), torch.topk(torch.tensor([3.0, 1.0, 2.0]), 2))
print(torch.unique(torch.tensor([1, 3, 1])), torch.bincount(torch.tensor([0, 1, 1])))
print(torch.meshgrid(torch.arange(2), torch.arange(3), indexing="ij")[0])
print(x_data.float().std(), x_data.float().var(dim=0), x_data.float().mean(dim=1, keepdim=True))
print(torch.is_tensor(x_data), isinstance(x_data, torch.Tensor), x_data.is_contiguous())
