"""Ways out of a tensor and into another type: numbers, lists, arrays, dtypes, copies, pickles."""

import copy
import pickle

import numpy as np
import pytest
import torch as pytorch

import tinygrad_mnist as torch
from tests._tensor.both_engines import agree, lines

NUMBERS = lines("""
    torch.tensor(3.5).item(), torch.tensor(3).item()
    torch.tensor(True).item(), torch.tensor([[0.1]]).item()
    torch.tensor([1, 2]).item()
    torch.tensor([]).item()
    torch.tensor([1, 2]).tolist(), torch.tensor(1).tolist(), torch.tensor([[True]]).tolist()
    torch.zeros(0, 3).tolist(), torch.zeros(2, 0).tolist(), torch.tensor([]).tolist()
    torch.tensor(0.1).item(), torch.tensor(0.1).tolist()
    torch.tensor([math.nan, math.inf]).tolist()
    float(torch.tensor(3)), int(torch.tensor(3.9))
    int(torch.tensor(-3.9)), complex(torch.tensor(2.0))
    int(torch.tensor(math.nan))
    int(torch.tensor(math.inf))
    float(torch.tensor([1, 2]))
    float(torch.tensor([]))
    int(torch.tensor([1, 2]))
    bool(torch.tensor(3.9)), bool(torch.tensor([0]))
    bool(torch.tensor(math.nan)), bool(torch.tensor(False))
    bool(torch.tensor([1, 2]))
    bool(torch.tensor([]))
    torch.tensor(3).is_nonzero(), torch.is_nonzero(torch.tensor(0))
    torch.ones(3).is_nonzero()
    len(torch.zeros(3, 2)), len(torch.zeros(0)), torch.zeros(3).__len__()
    len(torch.tensor(1))
    list(torch.tensor([1, 2])), list(torch.zeros(2, 0))
    list(torch.tensor(1))
    a, *b = torch.tensor([1, 2, 3]) ; a, b
    [1, 2, 3][torch.tensor(1)], [1, 2, 3][torch.tensor([1])], [1, 2, 3][torch.tensor(True)]
    [1, 2, 3][torch.tensor(1.0)]
    [1, 2, 3][torch.tensor([1, 2])]
    list(range(torch.tensor(3))), [1, 2, 3][: torch.tensor(2)]
    f"{torch.tensor(3.14159):.2f} {torch.tensor(3):d} {torch.tensor(3.14159)} {torch.tensor([3.0])}"
    f"{torch.tensor([3.14159]):.2f}"
    "%.2f %d %s" % (torch.tensor(3.14159), torch.tensor(3), torch.tensor(3))
    round(torch.tensor(3.7)), abs(torch.tensor(-3)), +torch.tensor(-3), -torch.tensor(3)
    math.sqrt(torch.tensor(4.0)), math.floor(torch.tensor(4.5))
    reversed(torch.tensor([[1], [2]])), reversed(torch.tensor(1))
    sorted(torch.tensor([3, 1, 2])), max(torch.tensor([3, 1])), sum(torch.tensor([3, 1]))
    any(torch.tensor([0, 1])), all(torch.tensor([0, 1]))
    ~torch.tensor([True]), ~torch.tensor([1])
    ~torch.tensor([1.0])
    -torch.tensor([True])
""")


@pytest.mark.parametrize("source", NUMBERS)
def test_python_numbers(source):
    agree(source)


COMPARISONS = lines("""
    torch.tensor([1, 2]) == torch.tensor([1, 3]), torch.tensor([1, 2]) == 1
    torch.tensor([1.0]) != 1
    torch.tensor([1, 2]) == "a", torch.tensor([1, 2]) != "a", torch.tensor([1, 2]) == None
    torch.tensor([1, 2]) == [1, 2], torch.tensor([1, 2]) == (1, 2), torch.tensor([1]) == object()
    torch.tensor([1, 2]) < "a"
    torch.tensor([1, 2]) == torch.tensor([1, 2, 3])
    torch.tensor([1, 2]) + [1, 2]
    torch.tensor([1, 2]) + "a"
    torch.tensor([1, 2]) * "a"
    None + torch.tensor([1, 2])
    torch.tensor([1, 2]) - None
    torch.tensor([1, 2]) @ 1
    2 // torch.tensor([1, 2]), 2 % torch.tensor([1, 2]), 2 ** torch.tensor([1, 2])
    2 / torch.tensor([1, 2]), 2 - torch.tensor([1, 2])
    1 & torch.tensor([1, 2]), True ^ torch.tensor([True])
    1 in torch.tensor([1, 2]), 5 in torch.tensor([1, 2]), torch.tensor(1) in torch.tensor([1, 2])
    "a" in torch.tensor([1, 2])
    None in torch.tensor([1, 2])
    t = torch.tensor(1) ; {t: 1}[t], hash(t) == hash(t)
    t = torch.tensor(1) ; hash(t) == hash(torch.tensor(1)), hash(t) == id(t)
""")


@pytest.mark.parametrize("source", COMPARISONS)
def test_operators_with_other_things(source):
    agree(source, messages="in torch" not in source)


NUMPY = lines("""
    np.array([1, 2]) == torch.tensor([1.0, 3.0])
    torch.tensor([1.0, 3.0]) == np.array([1, 2])
    np.array(2.0) == torch.tensor([1.0, 2.0])
    np.array([1, 2]) == torch.tensor([1.0, 2, 3])
    np.array([1, 2]) * torch.tensor([1, 2])
    np.array([1, 2]) - torch.tensor([1, 2])
    np.array([1, 2]) < torch.tensor([1, 2])
    np.array([1, 2]) / torch.tensor([1, 2])
    np.array([[1, 2]]) @ torch.tensor([1, 2])
    torch.tensor([1, 2]) * np.array([1, 3])
    torch.tensor([1, 2]) + np.array([1.0, 3])
    torch.tensor([1, 2]) @ np.array([1, 3])
    torch.tensor([1, 2]) < np.array([1, 2])
    np.float64(2) * torch.tensor([1.0, 2]), np.float32(2) + torch.tensor([1, 2])
    np.int64(2) * torch.tensor([1.0])
    np.float64(2) - torch.tensor([1.0]), np.float64(2) / torch.tensor([4])
    np.int64(2) ** torch.tensor([1.0])
    np.float64(2) == torch.tensor([1.0, 2]), np.float64(2) < torch.tensor([1.0, 3])
    torch.tensor([1.0, 2]) - np.float64(2), torch.tensor([1, 2]) / np.int64(2)
    torch.tensor([1]) == np.int64(1)
    np.exp(torch.tensor([0.0, 1])), np.exp(torch.tensor([0, 0])), np.exp(torch.tensor(0.0))
    np.exp(torch.ones(2, requires_grad=True))
    np.add(torch.tensor([0.0, 1]), 1), np.maximum(torch.tensor([-1.0]), 0)
    np.isnan(torch.tensor([1.0]))
    np.concatenate([torch.tensor([0.0]), torch.tensor([1.0])])
    np.stack([torch.tensor(1), torch.tensor(2)])
    np.asarray(torch.tensor([0.0, 1])), np.array(torch.tensor(1.0))
    np.array(torch.ones(1), dtype=np.float64)
    np.asarray([torch.tensor(1.0), torch.tensor(2.0)]), np.arange(5)[torch.tensor([1, 2])]
    np.asarray(torch.ones(1, requires_grad=True))
    torch.ones(2).numpy(), torch.tensor(1.0).numpy(), torch.ones(2).sum().numpy()
    torch.ones(2, requires_grad=True).numpy()
    torch.ones(2, requires_grad=True).numpy(force=True)
    torch.ones(2, requires_grad=True).detach().numpy()
    x = torch.ones(2, requires_grad=True) ; f = torch.no_grad()(x.numpy) ; f()
    t = torch.zeros(2) ; t.numpy()[0] = 3 ; np.asarray(t)[1] = 4 ; t
    t = torch.zeros(2) ; np.array(t)[0] = 3 ; t
    t = torch.zeros(2, 3).t() ; t.numpy().strides, t.numpy().shape
    torch.ones(2).__array__(), torch.ones(2).__array__(np.float64)
    a = np.array([1.0, 2]) ; t = torch.from_numpy(a) ; t += 1 ; a[0] = 7 ; a, t
    torch.from_numpy([1])
    torch.from_numpy(np.float32(1))
    torch.from_numpy(np.array(1.0)), torch.from_numpy(np.arange(4.0)[::2]).stride()
    torch.from_numpy(np.arange(6.0).reshape(2, 3).T).stride()
    torch.from_numpy(np.zeros((0, 3))).shape
    torch.from_numpy(np.arange(4.0)[::-1])
    torch.from_numpy(np.array([1, 2], dtype=">f4"))
    a = np.array([1.0, 2]) ; t = torch.as_tensor(a) ; a[0] = 5 ; t
    a = np.array([1.0, 2]) ; t = torch.as_tensor(a, dtype=torch.float32) ; a[0] = 5 ; t
    t = torch.ones(2) ; torch.as_tensor(t) is t, torch.as_tensor(t, dtype=torch.float32) is t
    torch.as_tensor(torch.ones(2, requires_grad=True)), torch.as_tensor(3)
    torch.as_tensor(np.float32(3))
    torch.as_tensor(torch.ones(2, requires_grad=True), dtype=torch.float64)
    torch.as_tensor(np.arange(4)[::-1])
    a = np.array([1, 2]) ; t = torch.asarray(a) ; u = torch.asarray(a, copy=True) ; a[0] = 5 ; t, u
    torch.asarray(torch.ones(2), requires_grad=True), torch.asarray([1, 2], dtype=torch.float32)
""")


@pytest.mark.parametrize("source", NUMPY)
@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_numpy(source):
    agree(source)


def test_arrays_of_types_that_are_not_carried_are_refused_with_a_way_out():
    for kind in (np.complex64, np.uint16, "U1", object, np.uint32):
        for make in (torch.tensor, torch.as_tensor, torch.from_numpy):
            with pytest.raises(
                TypeError, match=r"The only supported types are: .*Convert it first"
            ):
                make(np.zeros(2, kind))
    with pytest.raises(NotImplementedError, match="real and imaginary parts as two real tensors"):
        torch.tensor([1j])


TYPES = lines("""
    torch.ones(2).to(torch.float64), torch.ones(2).to(torch.int64)
    torch.ones(2).to(float), torch.ones(2).to(int)
    torch.ones(2).to("cpu"), torch.ones(2).to("cpu", torch.float64)
    torch.ones(2).to(torch.device("cpu"), torch.bool)
    torch.ones(2).to(device="cpu", dtype=torch.float64), torch.ones(2).to(torch.tensor(1))
    torch.ones(2).to()
    x = torch.ones(2) ; x.to(torch.float32) is x, x.to("cpu") is x, x.float() is x
    x = torch.ones(2) ; x.cpu() is x, x.to() is x
    x = torch.ones(2) ; x.to(torch.float32, copy=True) is x, x.to("cpu", copy=True) is x
    x = torch.ones(2) ; x.to(torch.float32, non_blocking=True) is x
    torch.ones(2).to("float32")
    torch.ones(2).to("bad:x")
    x = torch.tensor([1.7, -1.7]) ; x.int(), x.long(), x.bool(), x.double(), x.float()
    torch.tensor([1.7, 200.5]).byte(), torch.tensor([True, False]).float()
    torch.tensor([2, 0]).bool()
    torch.tensor([math.nan, math.inf]).bool()
    torch.ones(2).type(), torch.tensor([1]).type()
    torch.ones(2).type(torch.int64), torch.ones(2).type("torch.LongTensor")
    torch.ones(2).type(torch.LongTensor), torch.ones(2).type_as(torch.tensor(1))
    torch.ones(2).type("foo")
    torch.ones(2).type(int)
    torch.float is torch.float32, torch.double is torch.float64
    torch.long is torch.int64, torch.int is torch.int32
    x = torch.ones(2, requires_grad=True) ; x.double(), x.to(torch.float64), x.float() is x
""")


@pytest.mark.parametrize("source", TYPES)
def test_types(source):
    agree(source)


DESCRIBED = lines("""
    x = torch.ones(2, 3) ; x.size(), x.size(-1), x.size(dim=1), x.shape
    x = torch.ones(2, 3) ; x.shape[0], x.shape.numel(), x.dim(), x.ndim
    torch.ones(2, 3).size(2)
    torch.ones(2, 3).size("a")
    torch.tensor(1.0).size(), torch.tensor(1.0).stride(), torch.tensor(1.0).shape
    torch.tensor(1.0).size(0)
    x = torch.ones(2, 3) ; x.stride(), x.stride(-1), x.t().stride()
    x = torch.ones(2, 3) ; x[:, ::2].stride(), x[1:].storage_offset()
    torch.ones(2, 3).stride(5)
    torch.ones(1, 3)[:, None].stride(), torch.ones(3)[None].stride()
    torch.ones(3).expand(2, 3).stride()
    x = torch.ones(2, 3) ; x.is_contiguous(), x.t().is_contiguous()
    x = torch.ones(2, 3) ; x[:, 1:].is_contiguous(), x[1:].is_contiguous()
    x = torch.ones(2, 3) ; x.t().contiguous().stride(), x.contiguous() is x
    x = torch.ones(2, 3) ; x.expand(4, 2, 3).is_contiguous()
    x = torch.ones(1, 3) ; x.t().is_contiguous(), x.expand(1, 3).is_contiguous()
    x = torch.ones(2, 3) ; x.numel(), x.nelement(), torch.numel(x)
    x = torch.ones(2, 3) ; x.element_size(), x.itemsize, x.nbytes
    x = torch.ones(2) ; x.is_floating_point(), x.is_complex()
    x = torch.ones(2) ; x.is_signed(), torch.is_floating_point(x)
    x = torch.ones(2) ; x.device, x.device.type, x.is_cuda, x.get_device()
    x = torch.ones(2) ; x.is_sparse, x.is_leaf, x.is_shared()
    x = torch.ones(2) ; str(x.layout), str(torch.strided)
    torch.ones(2).data_ptr() != 0
    torch.is_tensor(3), torch.is_tensor(torch.ones(1)), isinstance(torch.ones(1), torch.Tensor)
    torch.typename(3), torch.typename(torch.tensor([1])), torch.typename(torch.float32) is not None
    x = torch.arange(6.0).reshape(2, 3) ; x.T, x.mT, x.H, x.mH, x.real is x
    torch.ones(2).mT
    torch.ones(2, 3, 4).H
    torch.ones(2).imag
    x = torch.ones(2, 3) ; x.view_as(torch.ones(6)).shape, x.reshape_as(torch.ones(3, 2)).shape
    torch.ones(1, 3).expand_as(torch.ones(2, 3))
    torch.arange(3).where(torch.tensor([True, False, True]), -1)
    hasattr(torch.ones(2), "foo"), hasattr(torch, "foo")
    torch.inf, torch.nan, torch.pi, torch.e, torch.newaxis
    x = torch.ones(2) ; x.foo = 3 ; x.foo
""")


@pytest.mark.parametrize("source", DESCRIBED)
def test_what_a_tensor_says_of_itself(source):
    agree(source)


@pytest.mark.parametrize("shape", ["(3,)", "()", "(2, 3, 4)"])
def test_reversing_other_than_two_dimensions_is_deprecated(shape):
    with pytest.warns(UserWarning, match="deprecated"):
        assert torch.ones(eval(shape)).T.shape == eval(shape)[::-1]


COPIES = lines("""
    x = torch.ones(2) ; y = copy.copy(x) ; y[0] = 5 ; x, y is x
    x = torch.ones(2, requires_grad=True) ; copy.copy(x)
    x = torch.ones(2) ; y = copy.deepcopy(x) ; y[0] = 5 ; x, y
    x = torch.ones(2, requires_grad=True) ; copy.deepcopy(x)
    x = torch.ones(2).requires_grad_() ; x.grad = torch.ones(2) ; copy.deepcopy(x).grad is x.grad
    x = torch.ones(2).requires_grad_() ; x.grad = torch.ones(2) ; copy.deepcopy(x).grad
    x = torch.ones(2, requires_grad=True) ; copy.deepcopy(x * 2)
    x = torch.ones(2) ; a, b = copy.deepcopy([x, x]) ; a is b
    x = torch.ones(2) ; a, b = copy.deepcopy([x, x[:1]]) ; a[0] = 7 ; b
    x = torch.arange(6).reshape(2, 3)[:, 1:] ; copy.deepcopy(x), copy.deepcopy(x).stride()
    x = torch.ones(2, 3).t() ; copy.deepcopy(x).stride()
    x = torch.ones(2, 3).t() ; copy.deepcopy(torch.ones(1).expand(3)).stride()
    x = torch.zeros(0, 3) ; copy.deepcopy(x), copy.deepcopy(torch.tensor(3))
    x = torch.ones(2) ; x.foo = [3] ; y = copy.deepcopy(x) ; x.foo.append(4) ; y.foo
    x = torch.ones(2) ; x.foo = [3] ; y = copy.deepcopy(x) ; x.foo.append(4) ; copy.copy(x).foo
    pickle.loads(pickle.dumps(torch.ones(2))), pickle.loads(pickle.dumps(torch.tensor(3)))
    pickle.loads(pickle.dumps(torch.ones(2, requires_grad=True)))
    x = torch.ones(2) ; x.foo = 3 ; pickle.loads(pickle.dumps(x)).foo
    pickle.loads(pickle.dumps(torch.zeros(0, 3)))
    pickle.loads(pickle.dumps(torch.ones(2, 3).t())).stride()
    pickle.loads(pickle.dumps(torch.float32)) is torch.float32
    pickle.loads(pickle.dumps(torch.device("cpu")))
    pickle.loads(pickle.dumps(torch.Size([1, 2])))
""")


@pytest.mark.parametrize("source", COPIES)
def test_copies(source):
    agree(source, copy=copy, pickle=pickle)


DEVICES = lines("""
    torch.device("cpu"), torch.device("cuda:1"), torch.device("cuda", 1), torch.device(type="cpu")
    repr(torch.device("cuda:1")), str(torch.device("cuda:1"))
    repr(torch.device("cpu")), str(torch.device("cpu"))
    torch.device("cpu").index, torch.device("cuda:1").index, torch.device("cpu").type
    torch.device("cpu") == torch.device("cpu", 0), torch.device("cpu") == "cpu"
    torch.device(torch.device("cpu"))
    hash(torch.device("cpu")) == hash(torch.device("cpu"))
    torch.device("cpu") == torch.device("cpu")
    torch.device("foo")
    torch.device("cuda:x")
    torch.device("")
    torch.device("cpu", "a")
    torch.cuda.is_available(), torch.cuda.device_count(), torch.get_default_device()
    torch.set_default_device("cpu")
    torch.get_default_dtype()
    torch.set_default_dtype(torch.int64)
    torch.set_num_threads(0)
""")


@pytest.fixture
def pytorchs_default_device():
    """No default device stays set: under one, PyTorch's l1_loss loses its weight."""
    yield
    pytorch.set_default_device(None)


@pytest.mark.parametrize("source", DEVICES)
@pytest.mark.usefixtures("pytorchs_default_device")
def test_devices_and_defaults(source):
    agree(source)


def test_a_device_is_a_block():
    agree("""
        with torch.device("cpu") as place:
            x = torch.ones(2)
        x, x.device, place
    """)


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x.to("cuda"),
        lambda x: x.cuda(),
        lambda x: x.to(torch.device("cuda:0")),
        lambda x: torch.ones(2, device="cuda"),
        lambda x: torch.tensor([1], device="mps"),
        lambda x: torch.set_default_device("cuda"),
        lambda x: torch.device("cuda").__enter__(),
    ],
)
def test_other_devices_are_refused_with_a_way_out(use):
    with pytest.raises((AssertionError, NotImplementedError), match=r"is_available\(\) else 'cpu'"):
        use(torch.ones(2))


def test_the_default_type_is_that_of_numbers_made_from_python_floats():
    source = """
        torch.set_default_dtype(torch.float64)
        try:
            made = torch.tensor(1.5), torch.zeros(1), torch.arange(3.0), torch.tensor(1) / 2
            made += torch.Tensor([1]), torch.tensor([]), torch.full((1,), 1.5)
            made += torch.linspace(0, 1, 2), torch.eye(1), torch.scalar_tensor(1)
            said = repr(torch.tensor(1.5)), repr(torch.ones(1).float())
        finally:
            torch.set_default_dtype(torch.float32)
        made, said
    """
    agree(source)
