"""Public names: those that are refused, those that moved, those that load when first used."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any


class Unsupported(NotImplementedError, AttributeError):
    """A name of PyTorch that is not carried; an AttributeError too, so that hasattr says no."""


_INSTEAD = {
    "complex64": "keep real and imaginary parts as two real tensors",
    "complex128": "keep real and imaginary parts as two real tensors",
    "cfloat": "keep real and imaginary parts as two real tensors",
    "cdouble": "keep real and imaginary parts as two real tensors",
    "linalg.eig": "eigenvalues of A may be complex; of a symmetric A linalg.eigh gives them",
    "linalg.eigvals": "eigenvalues may be complex; of a symmetric A linalg.eigvalsh gives them",
    "complex": "keep real and imaginary parts as two real tensors",
    "sparse": "use dense tensors",
    "jit": "use tinygrad_mnist.compile where speed matters",
    "fft": "use numpy.fft on tensor.numpy()",
    "hub": "build the model in code and load its weights",
    "onnx": "keep weights with safetensors",
    "utils.tensorboard.SummaryWriter.add_graph": "draw it with tinygrad_mnist.explain",
    "quantization": "compute in torch.float32",
    "sparse_coo_tensor": "use dense tensors",
    "sparse_csr_tensor": "use dense tensors",
    "serialization": "torch.save and torch.load are what there is",
    "cuda": "there is no GPU here; ask torch.cuda.is_available() first",
}
"""What to use instead of a name, and of all names below it."""


def unsupported(name: str) -> Unsupported:
    """The error for a name that the package does not have."""
    parts = name.split(".")
    above = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    way = next((_INSTEAD[known] for known in above if known in _INSTEAD), None)
    if way is None:
        return Unsupported(
            f"torch.{name} is not part of tinygrad_mnist; docs/differences.md lists what is"
        )
    return Unsupported(f"torch.{name} is not supported by tinygrad_mnist: {way}")


def refused(module: str, names: str) -> dict[str, Callable[..., Any]]:
    """Functions that a module does not have: they can be imported, and are refused when called.

    >>> refused("hub", "load")["load"]("a/repository", "a model")
    Traceback (most recent call last):
    ...
    tinygrad_mnist.names.Unsupported: torch.hub.load is not supported by tinygrad_mnist: build \
the model in code and load its weights
    """

    def function(name: str) -> Callable[..., Any]:
        def refuse(*args: Any, **kwargs: Any) -> Any:
            raise unsupported(f"{module}.{name}")

        refuse.__name__ = refuse.__qualname__ = name
        vars(refuse)["is_refused"] = True
        return refuse

    return {name: function(name) for name in names.split()}


# The table of public names: where each is. All are loaded when first asked for

_OPERATIONS = {
    "arithmetic": """
        abs_ absolute_ add_ addcdiv_ addcmul_ angle bitwise_left_shift_ bitwise_right_shift_ conj
        conj_physical_ copysign_ div_ divide_ float_power_ floor_divide_ fmax fmin fmod_ gcd_
        heaviside_ hypot_ isreal lcm_ ldexp_ lerp_ mul_ multiply_ nan_to_num_ neg_ negative_
        nextafter_ positive pow_ reciprocal_ remainder_ resolve_conj resolve_neg rsub() sgn_ sign_
        square_ sub_ subtract_ true_divide_""",
    "arranging": """
        diag diag_embed diagflat diagonal diagonal_scatter fill() flip fliplr flipud index_put_
        meshgrid() narrow_copy ravel .repeat repeat_interleave roll rot90 select_scatter
        slice_scatter tile trace tril_ tril_indices() triu_ triu_indices() .unfold""",
    "casting": "clone",
    "conditional": "clamp_ clamp_max_ clamp_min_ clip_ masked_fill_ where()",
    "convolution": """
        conv1d() conv2d() conv3d() conv_transpose1d() conv_transpose2d() conv_transpose3d()""",
    "cumulative": """
        cummax cummin cumprod_ cumsum_ cumulative_trapezoid() diff logcumsumexp prod trapezoid()
        trapz()""",
    "random_in_place": """
        .bernoulli_ .cauchy_ .exponential_ .geometric_ .log_normal_ .normal_ .random_ .uniform_""",
    "elementwise": """
        acos_ acosh_ allclose arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctan2_ arctanh_ asin_
        asinh_ atan_ atan2_ atanh_ bitwise_and_ bitwise_not_ bitwise_or_ bitwise_xor_ ceil_ cos_
        cosh_ deg2rad_ eq_ equal erf_ erfc_ exp_ exp2_ expm1_ fix_ floor_ frac_ ge_ greater_
        greater_equal_ gt_ isclose isfinite isinf isnan isneginf isposinf le_ less_ less_equal_ log_
        log10_ log1p_ log2_ logaddexp logaddexp2 logical_and_ logical_not_ logical_or_ logical_xor_
        logit_ lt_ maximum minimum ne_ not_equal_ rad2deg_ round_ rsqrt_ sigmoid_ signbit sin_ sinc_
        sinh_ sqrt_ tan_ tanh_ trunc_ xlogy_""",
    "indexing": "narrow select",
    "joining": """
        atleast_1d() atleast_2d() atleast_3d() cat() chunk column_stack() concat() concatenate()
        dsplit dstack() hsplit hstack() row_stack() split split_with_sizes stack() tensor_split
        unbind vsplit vstack()""",
    "linear_algebra": """
        cholesky cholesky_inverse cholesky_solve det inverse logdet matrix_exp matrix_power pinverse
        qr slogdet svd""",
    "matmul": "bmm dot matmul mm mv",
    "matrices": """
        addbmm_ addmm_ addmv_ addr_ baddbmm_ block_diag() cartesian_prod() cdist() chain_matmul()
        combinations() cross dist einsum() ger inner kron norm outer renorm_ tensordot() vander()
        vdot""",
    "pooling": """
        adaptive_avg_pool1d() adaptive_max_pool1d() avg_pool1d() max_pool1d() max_pool2d()""",
    "quantiles": """
        bucketize() corrcoef cov histc histogram isin() nanmean nanmedian nanquantile quantile
        searchsorted() unravel_index()""",
    "views": "as_strided",
    "reductions": """
        all amax amin aminmax any argmax argmin bincount count_nonzero logsumexp max mean min nansum
        std std_mean() sum var var_mean()""",
    "gather_scatter": """
        argwhere gather index_add_ index_copy_ index_fill_ index_select masked_scatter_
        masked_select nonzero scatter_ scatter_add_ take take_along_dim""",
    "shapes": """
        adjoint broadcast_shapes() broadcast_tensors() broadcast_to flatten moveaxis movedim permute
        reshape squeeze_ swapaxes_ swapdims_ t_ transpose_ unflatten unsqueeze_""",
    "scatter_reduce": "index_reduce_ scatter_reduce_",
    "softmax": "log_softmax relu_ softmax",
    "random_draws": "binomial() poisson()",
    "special": "digamma_ erfinv_ i0_ igamma_ igammac_ lgamma_ mvlgamma_ polygamma_",
    "volumes": "max_pool3d()",
    "sorting": "argsort kthvalue median mode msort sort topk unique unique_consecutive",
}
"""The operations in each file of `ops`: functions of the package and methods of a tensor.

`abs_` has a method that writes into the tensor, too; `cat()` is a function alone, `.repeat` a
method alone.
"""

_OTHERS = {
    "_tensor": "Tensor",
    "_tensor.creation": """
        BFloat16Tensor BoolTensor ByteTensor CharTensor DoubleTensor FloatTensor HalfTensor
        IntTensor LongTensor ShortTensor arange as_tensor asarray
        empty empty_like eye from_numpy frombuffer full full_like linspace logspace ones ones_like
        range scalar_tensor tensor zeros zeros_like""",
    "_tensor.description": """
        contiguous_format e get_default_device inf is_complex is_floating_point is_nonzero is_tensor
        nan newaxis numel pi preserve_format set_default_device strided typename""",
    "_tensor.printing": "set_printoptions",
    "autograd": """
        enable_grad inference_mode is_anomaly_enabled is_grad_enabled is_inference_mode_enabled
        no_grad set_grad_enabled""",
    "compiler": "compile",
    "dtypes": """
        bfloat16 bool can_cast double=float64 dtype finfo float=float32 float16 float32 float64
        get_default_dtype half=float16 iinfo int=int32 int16 int32 int64 int8 long=int64
        promote_types result_type set_default_dtype short=int16 uint8""",
    "engine.device": "device",
    "func": "vmap",
    "explainer.explanation": "explain",
    "engine.size": "Size",
    "engine.types": "layout memory_format",
    "explainer.why": "why",
    "hardware.amp": """
        autocast autocast_decrement_nesting autocast_increment_nesting clear_autocast_cache
        get_autocast_dtype is_autocast_cache_enabled is_autocast_enabled set_autocast_cache_enabled
        set_autocast_dtype set_autocast_enabled""",
    "hardware.settings": """
        are_deterministic_algorithms_enabled get_float32_matmul_precision get_num_interop_threads
        get_num_threads set_float32_matmul_precision set_num_interop_threads set_num_threads
        use_deterministic_algorithms""",
    "nn.functional": """
        bilinear celu celu_ channel_shuffle cosine_similarity hardshrink pairwise_distance pdist
        pixel_shuffle pixel_unshuffle prelu relu_ rms_norm rrelu rrelu_ selu selu_ threshold
        threshold_""",
    "ops.arguments": "set_default_tensor_type",
    "ops.generator": """
        Generator default_generator get_rng_state initial_seed manual_seed seed set_rng_state""",
    "ops.random_factories": """
        bernoulli multinomial normal rand rand_like randint randint_like randn randn_like
        randperm""",
    "serialization": "load save",
}
"""What else is at the package's top level, by module: `double=float64` is `float64` there."""

MODULES = (
    "_dynamo", "accelerator", "amp", "autograd", "backends", "compiler", "cuda", "datasets",
    "distributed", "distributions", "func", "hub", "jit", "linalg", "mps", "multiprocessing",
    "nn", "onnx", "optim", "profiler", "random", "safetensors", "serialization", "special",
    "testing", "utils", "version", "xpu",
)  # fmt: skip
"""The public modules that load when first asked for."""

MODULE_ALIASES = {
    "_C": "utils.native",
    "_dynamo": "compiler",
    "absent": "names",
    "accelerator": "hardware.accelerator",
    "amp": "hardware.amp",
    "backends": "hardware.backends",
    "cli": "app.cli",
    "comparing": "tools.compare",
    "cuda.amp": "hardware.cuda_amp",
    "cuda.nccl": "hardware.nccl",
    "cuda": "hardware.cuda",
    "datasets": "app.datasets",
    "distributed": "hardware.distributed",
    "hub": "utils.hub",
    "jit": "utils.jit",
    "mps": "hardware.mps",
    "multiprocessing": "utils.multiprocessing",
    "autograd.profiler": "utils.profiler",
    "onnx": "utils.onnx",
    "profiler": "utils.profiler",
    "safetensors": "serialization.safetensors",
    "special": "ops.special",
    "scripts": "tools.scripts",
    "testing.parity": "tools.parity.parity",
    "testing.strategies": "tools.parity.strategies",
    "utils.hooks": "engine.hooks",
    "version": "hardware.version",
    "xpu": "hardware.xpu",
}
"""Public modules that live in another room than their name says, below the package's name."""

_FORMER = {
    "_tensor.conversion": "_tensor.copying",
    "autograd.gradients": "autograd.variable",
    "engine.device": "_tensor.places",
    "engine.modes": "autograd.grad_mode",
    "distributions.combined": """
        distributions.gumbel distributions.half_normal distributions.independent
        distributions.log_normal distributions.mixture_same_family
        distributions.multivariate_normal distributions.transformed_distribution""",
    "distributions.continuous": """
        distributions.beta distributions.cauchy distributions.chi2 distributions.dirichlet
        distributions.exponential distributions.gamma distributions.laplace distributions.normal
        distributions.studentT distributions.uniform""",
    "distributions.discrete": """
        distributions.bernoulli distributions.binomial distributions.categorical
        distributions.geometric distributions.multinomial distributions.one_hot_categorical
        distributions.poisson distributions.relaxed_bernoulli""",
    "distributions.distribution": "distributions.exp_family distributions.utils",
    "engine.size": "_tensor.size",
    "engine.types": "_tensor.constants",
    "nn.modules.convolution": "nn.modules.conv",
    "nn.modules.embedding": "nn.modules.lookup nn.modules.sparse",
    "nn.modules.layers": """
        nn.modules.activation nn.modules.channelshuffle nn.modules.distance nn.modules.dropout
        nn.modules.dropping nn.modules.flatten nn.modules.fold nn.modules.pixelshuffle
        nn.modules.shaping nn.modules.upsampling""",
    "nn.modules.linear": "nn.modules.affine",
    "nn.modules.loss": "nn.modules.margin_loss",
    "nn.modules.normalization": "nn.modules.batchnorm nn.modules.instancenorm",
    "nn.modules.pooling": "nn.modules.padding",
    "ops.generator": "random.generator",
    "optim.adam": "optim.adam_variants optim.adamax optim.adamw optim.nadam optim.radam",
    "optim.adaptive": "optim.adadelta optim.adagrad optim.rmsprop",
    "optim.gradient_descent": "optim.asgd optim.rprop optim.sgd",
    "optim.lr_scheduler.cycles": "optim.lr_scheduler.cosine optim.lr_scheduler.one_cycle",
    "optim.lr_scheduler.factors": "optim.lr_scheduler.combined",
    "optim.lr_scheduler.scheduler": "optim.lr_scheduler.plateau",
}
"""Modules by the names that PyTorch has for them, or that pickles of earlier versions name."""
MODULE_ALIASES |= {old: new for new, names in _FORMER.items() for old in names.split()}

_ROOTS = {name.partition(".")[0] for name in MODULE_ALIASES}

WRITING = """
    abs acos acosh addmv arccos arccosh arcsin arcsinh arctan arctanh as_strided asin asinh atan
    atanh ceil clamp clamp_max clamp_min clip conj_physical cos cosh deg2rad detach erf erfc exp
    exp2 expm1 fill fix floor frac gcd i0 index_put lcm ldexp log log10 log1p log2 logit
    nan_to_num neg negative rad2deg reciprocal resize_as round rsqrt sigmoid sin sinc sinh sqrt
    square tan tanh trunc xlogy zero"""
"""The methods that write into a tensor and are functions, too: `torch.abs_`."""

METHODS: dict[str, str] = {}
"""The file in `ops` of each operation that is a method of a tensor."""
IN_PLACE: list[str] = []
"""The operations that have a method which writes into the tensor: `abs` for `abs_`."""


def read_table(table: dict[str, str]) -> dict[str, str]:
    """The place of each name: a table has for each module its names, in one text."""
    return {
        entry.partition("=")[0]: f"{module}:{entry.rpartition('=')[2]}"
        for module, names in table.items()
        for entry in names.split()
    }


NAMES = read_table(_OTHERS)
"""The place of each public name: "dtypes:float64", below the package's name."""
NAMES |= {f"{_name}_": f"_tensor.in_place:{_name}_" for _name in WRITING.split()}
for _file, _names in _OPERATIONS.items():
    for _entry in _names.split():
        _name = _entry.strip(".()") if _entry[0] == "." else _entry.rstrip("()_")
        if _entry[0] != ".":
            NAMES[_name] = f"ops.{_file}:{_name}"
            if _entry[-1] == "_":
                IN_PLACE.append(_name)
        if _entry[-1] != ")":
            METHODS[_name] = _file


def operation(name: str) -> Any:
    """The operation behind the method `name`, from its file in `ops`."""
    return getattr(importlib.import_module(f"tinygrad_mnist.ops.{METHODS[name]}"), name)


def lazily(
    package: str, places: dict[str, str], modules: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package whose names and modules load when first asked for.

    `places` are as in `NAMES`. What the package does not have is refused with Unsupported.
    """
    inside = package.partition(".")[2]
    below = f"{inside}." if inside else ""
    files = {place.partition(":")[0] for place in places.values()}

    def load(name: str) -> Any:
        if name in modules:
            return importlib.import_module(f"{package}.{name}")
        if name == "__all__":
            return listed()
        if name.startswith("__"):
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        if name not in places:
            if f"{below}{name}" in files:
                return importlib.import_module(f"{package}.{name}")
            raise unsupported(below + name)
        module, _, attribute = places[name].partition(":")
        found = getattr(importlib.import_module(f"tinygrad_mnist.{module}"), attribute)
        found = getattr(found, "public", found)
        setattr(sys.modules[package], name, found)
        return found

    def listed() -> list[str]:
        there = vars(sys.modules[package])
        own = [name for name in there if not hasattr(there[name], "__spec__") or name in modules]
        return sorted({*own, *modules, *places})

    return load, listed


def _exists(module: str) -> bool:
    try:
        importlib.import_module(module.rpartition(".")[0])  # which may bring modules without files
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # it would be below what is no package
        return False


class MovedModules:
    """Finds the modules of `MODULE_ALIASES`, and those below them, where they live.

    It is asked first: else `datasets.mnist` would be loaded again, from the folder of `datasets`.

    >>> import tinygrad_mnist.backends.cudnn
    >>> tinygrad_mnist.backends.cudnn.__name__
    'tinygrad_mnist.hardware.backends.cudnn'
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The specification of a module that moved, None for any other."""
        package, _, name = fullname.partition(".")
        if package != "tinygrad_mnist" or name.partition(".")[0] not in _ROOTS:
            return None
        for old, new in MODULE_ALIASES.items():
            if name == old or name.startswith(old + "."):
                origin = f"{package}.{new}{name[len(old) :]}"
                return ModuleSpec(fullname, self, origin=origin) if _exists(origin) else None  # type: ignore[arg-type]
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module itself, from where it lives."""
        assert spec.origin is not None
        module = importlib.import_module(spec.origin)
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing but to give the module back what it says of itself: it is loaded already."""
        spec = module.__spec__
        assert spec is not None
        module.__spec__ = spec.loader_state

    def get_code(self, fullname: str) -> CodeType | None:
        """The code that `python -m` runs; ImportError for a package, which has none to run."""
        spec = self.find_spec(fullname)
        assert spec is not None
        assert spec.origin is not None
        module = importlib.import_module(spec.origin)
        if hasattr(module, "__path__"):
            raise ImportError(f"{fullname!r} is a package and cannot be directly executed")
        loader: Any = module.__loader__
        code: CodeType | None = loader.get_code(spec.origin)
        return code


sys.meta_path.insert(0, MovedModules())
