"""Sizes that no memory has, tensors of nothing, and forms of calls that PyTorch still takes."""

import itertools

import pytest

import tinygrad_mnist
from tests._tensor.both_engines import agree, lines

MADE = ("zeros({})", "ones({})", "empty({})", "rand({})", "randn({})", "full(({},), 1.0)",
        "ones(2).new_empty({})", "ones(2).new_zeros({})")  # fmt: skip
SIZES = ("2**62", "2**62, 4", "2**63", "-1", "2**31, 2**31, 2**31")


@pytest.mark.parametrize("made", MADE)
def test_sizes_beyond_memory_are_refused(made):
    for size in SIZES:
        agree(f"torch.{made.format(size)}", messages=False)


REFUSED = lines("""
    torch.eye(2**62)
    torch.linspace(0, 1, 2**62)
    torch.ones(1).repeat(2**62)
    torch.ones(1, 1).expand(2**62, 4)
    torch.tile(torch.ones(3, 4), (2**62,))
    torch.nn.functional.pad(torch.ones(3, 4), (0, 2**62))
    torch.nn.functional.one_hot(torch.tensor([0]), 2**62)
    torch.zeros(2**46)
    torch.zeros(1).expand(2**46) + 1
    torch.zeros(1).expand(2**46).exp()
    torch.topk(torch.arange(5.), 4, True)
    torch.tensor_split(torch.ones(3), 1.1)
    torch.tensor_split(torch.ones(3), torch.tensor([1.5]))
    torch.repeat_interleave(torch.ones(3), torch.tensor([1., 2., 3.]), dim=0)
    torch.repeat_interleave(torch.ones(3), torch.tensor([1, 2, 3]), dim=0, output_size=5)
    torch.tensor_split(torch.ones(3), torch.tensor([[1]]))
    torch.ones(()).index_put([], torch.ones(1), True)
    x = torch.arange(4) ; x[x > -1] = torch.tensor([]) ; x
    torch.ones(3).sum(True)
    torch.einsum("ij,jk->ik", torch.ones(2, 3), torch.ones(2, 3))
    torch.einsum("ij->ii", torch.ones(2, 3))
    torch.einsum("ij,jk->ik", torch.ones(2, 3))
    torch.ones(3).scatter_reduce(0, torch.tensor([0]), torch.ones(1), "median")
    torch.ones(3).index_reduce(0, torch.tensor([0]), torch.ones(1), "sum")
    torch.ones(3).index_reduce(0, torch.tensor([0]), torch.ones(2), "prod")
""")


@pytest.mark.parametrize("source", REFUSED)
def test_refusals_are_of_pytorchs_class(source):
    agree(source, messages=False)


@pytest.mark.parametrize("shape", [(0,), (2, 0), (2, 0, 3), (0, 0), (3, 0, 2, 4), (1, 0), (0, 3)])
def test_strides_of_nothing(shape):
    agree(f"torch.empty({shape}).stride(), (torch.ones({shape}) + 1).stride()")
    agree(f"torch.zeros((4, *{shape}))[1:2].stride()")


JOINED = lines("""
    torch.cat([torch.empty(0), torch.ones(2, 3)], 1)
    torch.cat([torch.empty(0), torch.empty(0)], 1)
    torch.cat([torch.empty(0), torch.empty(0)], -2)
    torch.cat([torch.empty(0, dtype=torch.int64), torch.ones(2, 3)], 1)
    torch.nn.functional.instance_norm(torch.tensor([[[1., 2, 4], [3, 3, 6]]]), eps=0)
    m = torch.nn.BatchNorm1d(2) ; m.track_running_stats = False ; m(torch.ones(3, 2)) ; m.state_dict()
    torch.asarray(bytearray(b"abcdabcd"), dtype=torch.int32)
    torch.asarray(bytearray(b"abcd"))
    torch.asarray(bytearray(b"abcd"), dtype=torch.uint8, copy=True)
    torch.as_tensor(bytearray(b"abcd"))
    b = bytearray(b"abcd") ; t = torch.asarray(b, dtype=torch.uint8) ; b[0] = 1 ; t
    import array ; b = array.array("f", [1, 2]) ; t = torch.asarray(b) ; b[0] = 7 ; t
    b = np.ones(2) ; t = torch.asarray(memoryview(b), dtype=torch.float64) ; t[0] = 7 ; b.tolist()
""")  # noqa: E501


@pytest.mark.parametrize("source", JOINED)
def test_tensors_of_nothing_and_shared_buffers(source):
    agree(source, digits=5)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_padding_down_to_nothing(mode):
    for shape, border in itertools.product(
        [(1, 2, 3), (1, 2, 3, 3), (1, 1, 2, 3, 3)],
        [(-3, 0), (-2, -1), (-1, 0), (0, -3), (1, -4), (-1, 1), (-4, 0)],
    ):
        pairs = border + (0, 0) * (len(shape) - 3)
        agree(
            f"torch.nn.functional.pad(torch.arange({2 * 3 ** (len(shape) - 2)}.0)"
            f".reshape({shape if len(shape) < 5 else (1, 1, 6, 3, 3)}), {pairs}, '{mode}')",
            messages=False,
        )


def test_windows_that_overlap_are_not_written():
    x = tinygrad_mnist.arange(6.0)
    x.unfold(0, 2, 2).mul_(2)
    assert x.tolist() == [0, 2, 4, 6, 8, 10]
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        x.unfold(0, 3, 1).add_(1)
    x.unfold(0, 3, 1).zero_()
    assert not x.any()


@pytest.mark.parametrize("source", ["x * 1j", "1j * x", "x + 1j", "x == 1j", "1j / x", "2j - x"])
def test_complex_numbers_are_refused_by_name(source):
    with pytest.raises(NotImplementedError, match="complex tensors are not supported"):
        eval(source, {"x": tinygrad_mnist.ones(2)})


OLD = lines("""
    torch.add(torch.ones(2), 2, torch.ones(2))
    torch.sub(torch.ones(2), 2, torch.ones(2))
    torch.ones(2).add(2, torch.ones(2))
    torch.ones(2).add_(2, torch.ones(2)), torch.ones(2).sub_(2, torch.ones(2))
    torch.addcmul(torch.ones(2), 2, torch.ones(2), torch.ones(2))
    torch.addcdiv(torch.ones(2), 2, torch.ones(2), torch.ones(2))
    torch.ones(2).addcmul_(2, torch.ones(2), torch.ones(2))
    torch.addmm(2, torch.ones(2, 2), 3, torch.ones(2, 2), torch.ones(2, 2))
    torch.addmm(2, torch.ones(2, 2), torch.ones(2, 2), torch.ones(2, 2))
    torch.ones(2, 2).addmm_(2, 3, torch.ones(2, 2), torch.ones(2, 2))
    torch.addmv(2, torch.ones(2), 3, torch.ones(2, 2), torch.ones(2))
    torch.addr(2, torch.ones(2, 2), 3, torch.ones(2), torch.ones(2))
    torch.addbmm(2, torch.ones(2, 2), 3, torch.ones(3, 2, 2), torch.ones(3, 2, 2))
    torch.baddbmm(2, torch.ones(3, 2, 2), 3, torch.ones(3, 2, 2), torch.ones(3, 2, 2))
    torch.add(torch.ones(2), 2, 3)
    torch.add(torch.ones(2), torch.ones(2), torch.ones(2))
    torch.addcmul(torch.ones(2), 2, 3, torch.ones(2))
""")


@pytest.mark.parametrize("source", OLD)
def test_old_forms_with_a_number_between_the_tensors(source):
    agree(source, messages=False)
