"""What each cause is in plain words, and what to do about it."""

from __future__ import annotations

from typing import Any

from .reason import Reason

CUTS = {
    "detach": "`.detach()` gives the same numbers without a record of where they came from",
    "detach_": "`.detach_()` makes the tensor forget where its numbers came from",
    "data": "`.data` gives the same numbers without a record of where they came from",
    "torch.tensor": "`torch.tensor(t)` copies the numbers of t and nothing else",
    "no_grad": "It was computed while gradients were off (`no_grad`, `inference_mode` or "
    "`set_grad_enabled(False)`), so it left no record",
    "integer": "It was cast to whole numbers, which have no derivative",
    "no_derivative": "This operation has no derivative: it gives whole numbers, or true and false",
    "item": "Python read the numbers here (`.item()`, `.tolist()`, `.numpy()`, `float()`), and "
    "what Python or NumPy computes leaves no record",
    "perhaps": "Python most likely read the numbers just before (`.item()`, `.tolist()`, "
    "`.numpy()`) and gave them back, and what Python computes leaves no record",
    "new_leaf": "A new leaf was made of the numbers (`requires_grad_()`, `Parameter(...)` or "
    "`Variable(...)`): gradients end there",
}
"""How gradients are cut off on their way back, by the key of the cut."""

FIXES = {
    "detach": "leave out `.detach()` where the gradient is to pass.",
    "detach_": "leave out `.detach_()`, or call it after backward().",
    "data": "use the tensor itself instead of its `.data`.",
    "torch.tensor": "use the tensor itself, or `.clone()`, which passes gradients on; for a list "
    "of tensors use `torch.stack`.",
    "no_grad": "compute it outside the `no_grad` block; a step of gradient descent changes the "
    "weight in place there: `w -= lr * w.grad`.",
    "integer": "stay in a floating-point type up to the loss.",
    "no_derivative": "use something smooth in its place: softmax or sigmoid for argmax and "
    "comparisons, `torch.where` to choose; compute accuracies apart from the loss.",
    "item": "compute with tensors up to the loss (`torch.stack` joins a list of them), and read "
    "numbers only to print them.",
    "perhaps": "compute with tensors up to the loss, and read numbers only to print them.",
    "new_leaf": "compute with the tensor itself, or ask for the gradient of the new leaf.",
    "requires_grad": "call `.requires_grad_()` on it, or make it with `requires_grad=True`, before "
    "computing with it; the weights of a model are `nn.Parameter`s.",
    "asked_late": "call `.requires_grad_()` before the forward pass.",
    "frozen": "call `.requires_grad_(True)` before the forward pass, if it is to learn.",
    "not_a_leaf": "read the gradient of the leaf it was computed from; or call `.retain_grad()` on "
    "it before backward(); or make it a leaf: compute first, then `.requires_grad_()`.",
    "not_walked": "call `.backward()` on the loss, before reading `.grad`.",
    "cleared": "call `zero_grad()` before backward() or after step(), and read `.grad` in between.",
    "retained_late": "call `.retain_grad()` before backward().",
    "by_grad": "take what `autograd.grad` returns, or call `.backward()`.",
    "not_asked": "name this tensor among `inputs=`, or leave `inputs=` out.",
    "failed": "mend what the error says.",
    "freed": "call backward() once for a graph, or pass `retain_graph=True` to the first call; in "
    "a loop, compute the loss anew, and detach what is carried from one step to the next.",
    "changed": "write `x = x + 1` instead of `x += 1` there, or `.clone()` first.",
    "unused": "use it in the forward pass on the way to the loss, or take it out of the model.",
    "unused_output": "use this output in the loss too, if it is to get a gradient.",
    "copy": "ask the tensor that was used: of a copied model, the copy's own parameters.",
    "unreachable": "run it again inside `with torch.why.remember():`, which finds the cut and its "
    "line.",
    "unknown": "run it again inside `with torch.why.remember():`, or give the loss, "
    "`torch.why(tensor, loss)`, before backward() frees its graph.",
    "dead_relu": "lower the learning rate, start from other weights (`kaiming_uniform_`, a bias "
    "above 0), normalise the input, or use `leaky_relu` or `gelu`.",
    "saturated": "make what goes in smaller: normalise the input, start from smaller weights, and "
    "give the loss logits (`cross_entropy`, `binary_cross_entropy_with_logits`).",
    "outside": "widen the bounds, or leave numbers that must learn unclamped.",
    "times_zero": "do not start from weights that are all zero, and look for a mask, a dropout of "
    "p = 1 or a coefficient that is 0.",
    "constant": "compute the loss from something that changes: with one output unit use sigmoid "
    "and `binary_cross_entropy`, not softmax.",
    "cancelled": "look whether the sum is meant: the loss does not change when this tensor does.",
    "underflow": "compute in float64, or use the logarithmic form (`log_softmax`, `logsumexp`); in "
    "a deep network use relu, normalisation, or residual connections.",
    "not_chosen": "nothing, if it is as meant: these take no part this time; another batch may "
    "choose others.",
    "overwritten": "make a new tensor instead of writing into this one (`torch.where`, `cat`, "
    "`clone()` first).",
    "flat": "replace the step by something smooth, or pass the gradient on as if it were not there "
    "(x + (round(x) − x).detach()).",
    "zero_derivative": "start from other numbers: where the derivative is 0 there is no direction "
    "to go.",
    "function": "return a gradient for this input from the Function's backward.",
    "hook": "let the hook return None or the gradient that is meant.",
    "zero_start": "start backward() from a gradient that is not 0.",
    "forward_not_finite": "keep the numbers in range before this operation: a small number added "
    "(`x + 1e-8`), `clamp`, `log_softmax`, a smaller learning rate, inputs normalised.",
    "backward_not_finite": "keep its input away from that point: a small number added inside "
    "(`torch.sqrt(x + 1e-12)`), or a safe number put in by `torch.where` before the operation, "
    "not after it.",
    "no_numbers": "look at the shapes: a slice, a mask or a repeat takes nothing.",
    "empty": "check that the mask or the batch is not empty before taking the mean.",
    "bad_numbers": "start again, with a smaller learning rate, inside `torch.why.remember()`: it "
    "names the first operation that gave NaN.",
    "bad_data": "look at the data: replace or drop what is NaN or infinite (`torch.nan_to_num`).",
    "not_in_optimizer": "give the optimiser all parameters: `model.parameters()`, once the model "
    "is whole; after replacing a layer, make the optimiser again.",
    "lr_zero": "give the optimiser a learning rate above 0, and look at the scheduler.",
    "too_small": "raise the learning rate, or scale what the gradient is small for.",
    "no_step": "call `optimizer.step()` after backward(), or change the parameter in place, under "
    "no_grad.",
    "accumulated": "call `optimizer.zero_grad()` in each step, before backward().",
    "no_parameter": "keep it in `nn.Parameter`, layers in `nn.ModuleList` or `nn.ModuleDict`.",
    "applied_twice": "give `cross_entropy` and `binary_cross_entropy_with_logits` the raw scores: "
    "they apply softmax or sigmoid themselves.",
    "no_logarithm": "give `nll_loss` what `log_softmax` gives, or use `cross_entropy`.",
    "nothing": "nothing to do.",
}
"""What to do, by cause."""

OF_LOSS = (
    "nothing. Ask why of what it was computed from, `torch.why(parameter, loss)`; "
    "`.retain_grad()` before backward() would keep this one, a 1."
)
"""What to do about the gradient of a loss."""

MEMORY = (
    "With `torch.why.remember()` before the forward pass, `why` would know the lines and the cuts."
)


def answer(cause: str, paragraph: str, **rest: Any) -> Reason:
    """A reason with the fix of its cause."""
    return Reason(cause, paragraph, FIXES[cause], **rest)
