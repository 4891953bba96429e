"""Random selections: a permutation, and categories drawn by their probabilities."""

from typing import Any

import numpy as np

from .distributions import exponential
from .distributions import uniform as fill_uniform
from .mersenne import Stream

__all__ = ["categories_with_replacement", "categories_without_replacement", "permutation"]

Array = np.ndarray[Any, Any]

LONGEST_PERMUTATION = (2**32 - 1) // 20 - 1
"""Longer ones PyTorch draws in another way, which is not followed here."""


def permutation(stream: Stream, length: int) -> Array:
    """0, 1, …, length - 1 in random order, int64, by Fisher and Yates' exchanges."""
    places = np.arange(length)
    choices = (length - places).astype(np.uint64)
    partners = places.copy()
    partners[:-1] += (stream.words(max(length - 1, 0)) % choices[:-1]).view(np.int64)
    return _exchanged(places, partners)


def _exchanged(places: Array, partners: Array) -> Array:
    """The list 0, 1, … after exchanging the places i and partners[i] >= i, for each i in order.

    Without a loop. Place i is final after step i: it got what lay at its partner's place t, which
    is what the last step with the same partner put there, or t itself if there was none. A step j
    puts there what lay at place j: `found[j]`, which in turn the last step with partner j < t put
    at j, and so on back to a place that no step had touched.
    """
    moved = partners > places
    found = places.copy()
    # Of several steps with one partner, the last assignment stays.
    found[partners[moved]] = places[moved]
    while True:
        earlier = found[found]
        if np.array_equal(earlier, found):
            break
        found = earlier
    by_partner = _stable_order(partners)
    again = partners[by_partner[1:]] == partners[by_partner[:-1]]
    result = partners.copy()
    result[by_partner[1:][again]] = found[by_partner[:-1][again]]
    return np.where(moved, result, found)


def _stable_order(keys: Array) -> Array:
    """np.argsort(keys, kind="stable") for 0 <= keys < 2**32, 16 bits at a time: a radix sort."""
    order = np.argsort(keys.astype(np.uint16), kind="stable")
    if keys.size > 1 << 16:
        order = order[np.argsort((keys >> 16).astype(np.uint16)[order], kind="stable")]
    return order


@np.errstate(all="ignore")
def categories_without_replacement(stream: Stream, weights: Array, samples: int) -> Array:
    """(…, categories) -> (…, samples) of int64: the largest of wᵢ / eᵢ for exponential eᵢ.

    Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006).
    """
    rates = np.empty_like(weights)
    exponential(stream, rates, 1.0)
    scores = weights / rates
    if samples == 1:
        best: Array = np.argmax(scores, axis=-1, keepdims=True)
        return best
    best_first: Array = np.argsort(-scores, axis=-1, kind="stable")
    return best_first[..., :samples].copy()


def categories_with_replacement(stream: Stream, weights: Array, samples: int) -> Array:
    """(…, categories) -> (…, samples), int64: for each u the first i with w₀ + … + wᵢ >= u Σ w."""
    rows = weights.reshape(-1, weights.shape[-1])
    drawn = np.empty((len(rows), samples))
    fill_uniform(stream, drawn)
    cumulative = np.cumsum(rows, axis=-1, dtype=weights.dtype)
    cumulative /= cumulative[:, -1:].copy()
    cumulative[:, -1] = 1
    bounds = cumulative.astype(np.float64)
    chosen = [np.searchsorted(row, u) for row, u in zip(bounds, drawn, strict=True)]
    return np.array(chosen, np.int64).reshape(*weights.shape[:-1], samples)
