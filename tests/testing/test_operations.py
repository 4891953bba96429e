"""The table of operations: whatever the package offers has a row, under each of its names."""

import types

import pytest

import tinygrad_mnist
from tinygrad_mnist import names
from tinygrad_mnist.tools.parity.table import OPERATIONS, SITUATIONS, find
from tinygrad_mnist.tools.parity.twins import pytorch

BY_FUNCTION = (
    "block_diag", "broadcast_shapes", "bucketize", "cartesian_prod", "cdist", "chain_matmul",
    "combinations", "cumulative_trapezoid", "fill", "searchsorted", "trapezoid", "trapz", "vander",
)  # fmt: skip
BY_BOTH = (
    "cholesky", "cholesky_inverse", "corrcoef", "cov", "cross", "diagonal_scatter", "dist",
    "histc", "index_put", "kron", "ldexp", "logdet", "matrix_exp", "matrix_power",
    "mvlgamma", "nanmean", "nanmedian", "nanquantile", "narrow_copy", "pinverse", "qr",
    "quantile", "renorm", "select_scatter", "slice_scatter", "svd", "vdot",
)  # fmt: skip
BY_METHOD = (
    "acosh_", "arccosh_", "arcsinh_", "arctanh_", "asinh_", "atanh_", "index_put_", "renorm_",
    "ldexp_", "mvlgamma_",
    "igamma", "igamma_", "igammac", "igammac_", "__rdiv__", "__rmatmul__",
)  # fmt: skip
NOT_OPERATIONS = {
    "settings of the process, which compute nothing": (
        "are_deterministic_algorithms_enabled", "get_float32_matmul_precision",
        "get_num_interop_threads", "set_float32_matmul_precision", "set_num_interop_threads",
        "use_deterministic_algorithms", "get_default_device", "get_default_dtype",
        "get_num_threads", "is_anomaly_enabled", "is_grad_enabled", "is_inference_mode_enabled",
        "set_default_device", "set_default_dtype", "set_default_tensor_type",
        "set_num_threads", "set_printoptions",
    ),
    "methods that write into a tensor, as functions; their rows are the methods'": tuple(
        f"{name}_" for name in names.WRITING.split()
    ),
    "memory as scripts look at it; tests/tensor": (
        "as_strided", "Tensor.as_strided", "Tensor.as_strided_", "Tensor.resize_",
        "Tensor.resize_as_", "Tensor.set_", "Tensor.storage", "Tensor.untyped_storage",
    ),
    "what autocast asks and sets; tests/hardware": (
        "autocast_decrement_nesting", "autocast_increment_nesting", "clear_autocast_cache",
        "get_autocast_dtype", "is_autocast_cache_enabled", "is_autocast_enabled",
        "set_autocast_cache_enabled", "set_autocast_dtype", "set_autocast_enabled",
    ),
    "files; tests/serialization": ("load", "save"),
    "answers questions about gradients; tests/explainer": ("why",),
    "makes a faster function of a function; tests/compiler": ("compile",),
    "makes a function of many samples of a function; tests/func": ("vmap",),
    "explains a function; tests/explainer": ("explain",),
    "the state of random numbers; tests/random": (
        "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state",
    ),
    "the walk backward itself, by which every row is tried; tests/autograd": (
        "Tensor.backward", "Tensor.grad_fn", "Tensor.register_hook", "Tensor.retain_grad",
        "Tensor.register_post_accumulate_grad_hook",
    ),
    "where memory lies, which differs from run to run; tests/tensor": ("Tensor.data_ptr",),
    "memory that processes share; tests/utils": ("Tensor.share_memory_",),
    "refused with a sentence; tests/tensor": (
        "Tensor.cuda", "Tensor.pin_memory", "Tensor.__delitem__",
        "Tensor.__init_subclass__",
    ),
    "tried on the samples of PyTorch's own tables; tests/op_tables": tuple(
        prefix + name
        for prefix, names in {
            "": BY_FUNCTION + BY_BOTH, "Tensor.": BY_BOTH + BY_METHOD,
            "linalg.": (
                "cholesky_ex", "cond", "cross", "det", "diagonal", "eigvalsh", "inv_ex", "lstsq",
                "matrix_power", "matrix_rank", "multi_dot", "slogdet", "solve_ex", "tensorinv",
                "tensorsolve", "vander", "vecdot",
            ),
        }.items()
        for name in names
    ),
    "what Python and NumPy ask of an object; tests/tensor": tuple(
        f"Tensor.__{name}__"
        for name in ("array", "array_priority", "array_wrap", "deepcopy", "format", "hash", "new",
                     "reduce_ex", "repr")
    ),
}  # fmt: skip
"""Why a public name has no row."""

EXCUSED = {name for names in NOT_OPERATIONS.values() for name in names}
COVERED = {name for row in OPERATIONS if row.public for name in row.names}
COVERED |= {name.split(" ")[0] for name in COVERED}


def is_function(value):
    return callable(value) and not isinstance(value, type | types.ModuleType)


def public_names():
    """Every function of the package, of nn.functional and of linalg; every name of a Tensor."""
    places = {"": tinygrad_mnist, "nn.functional.": tinygrad_mnist.nn.functional,
              "linalg.": tinygrad_mnist.linalg}  # fmt: skip
    for prefix, place in places.items():
        public = dir(place) if not prefix else place.__all__
        yield from [prefix + n for n in public
                    if not n.startswith("_") and is_function(getattr(place, n))]  # fmt: skip
    for name in dir(tinygrad_mnist.Tensor):
        own = any(name in vars(kind) for kind in tinygrad_mnist.Tensor.__mro__[:-1])
        if own and (not name.startswith("_") or name.startswith("__")):
            yield f"Tensor.{name}"


_OF_EVERY_CLASS = {f"Tensor.__{n}__" for n in ("annotations", "dict", "doc", "firstlineno",
                                              "module", "slots", "static_attributes",
                                              "weakref")}  # fmt: skip
NAMES = sorted(set(public_names()) - _OF_EVERY_CLASS)


def test_every_public_name_has_a_row_or_a_reason():
    assert len(NAMES) > 500
    missing = [name for name in NAMES if name not in COVERED | EXCUSED]
    assert not missing, f"give these a row in tinygrad_mnist/tools/parity/table: {missing}"


def test_no_reason_is_given_for_what_has_a_row_or_is_not_there():
    assert EXCUSED.isdisjoint(COVERED)
    assert set(NAMES) >= EXCUSED


def test_names_are_not_given_twice():
    names = [row.name for row in OPERATIONS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_each_name_is_pytorch_s_as_well(row):
    for name in row.names if row.function is None else row.also:
        if not name.startswith("Tensor."):
            assert callable(find(tinygrad_mnist, name))
            assert callable(find(pytorch(), name))
            continue
        method = name.removeprefix("Tensor.")
        assert hasattr(tinygrad_mnist.Tensor, method)
        assert hasattr(pytorch().Tensor, method)


def test_rows_leave_out_few_situations():
    partial = {row.name for row in OPERATIONS if set(row.situations) != set(SITUATIONS)}
    assert partial == {
        "topk", "kthvalue", "median", "autograd.Function", "Tensor.stride", "nn.functional.conv3d",
        "nn.functional.conv_transpose3d",
    }  # fmt: skip
