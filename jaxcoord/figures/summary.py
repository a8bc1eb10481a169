"""What a figure shows of replicates: a centre and bands, from the replicates themselves or from recorded statistics."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxcoord.errors import ParameterError

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Summary(NamedTuple):
    """A centre, bands from the widest to the narrowest, each a (low, high), and words that say what they are."""

    centre: Any
    bands: list[tuple[Any, Any]]
    words: str


def summary(data: Any, quantiles: Sequence[float] = QUANTILES) -> Summary:
    """The centre and the bands of data over its `replicate` or `statistic` dim.

    Over replicates: the median, and a band for each pair of quantiles (q, 1 - q). Of recorded statistics: the mean
    (without one, the median), with the quantiles that were recorded, or else plus and minus the standard deviation.

    Args:
      data: `DataArray [..., replicate | statistic]`; with neither there are no bands.
      quantiles: symmetric about one half.
    Raises: ParameterError for quantiles that are not symmetric, or statistics without a mean or a median.
    """
    if "replicate" in data.dims:
        pairs = quantile_pairs(quantiles)
        count = data.sizes["replicate"]
        if count == 1:
            return Summary(data.isel(replicate=0), [], "one replicate")
        bands = [(quantile(data, low), quantile(data, high)) for low, high in pairs]
        spans = " and ".join(f"{low * 100:g}\N{EN DASH}{high * 100:g} %" for low, high in pairs)
        words = f"median{', ' * bool(spans)}{spans} of {count} replicates"
        return Summary(quantile(data, 0.5), bands, words)
    if "statistic" in data.dims:
        return _recorded(data)
    return Summary(data, [], "")


def quantile_pairs(quantiles: Sequence[float]) -> list[tuple[float, float]]:
    """Pairs (q, 1 - q), the widest first. Raises: ParameterError where they are not in [0, 1] or do not pair up."""
    ordered = sorted(float(q) for q in quantiles)
    if any(not 0 <= q <= 1 for q in ordered) or not np.allclose(ordered, [1 - q for q in reversed(ordered)]):
        raise ParameterError(f"quantiles = {tuple(quantiles)}: values in 0 to 1 symmetric about 0.5 are needed")
    return [(ordered[i], ordered[-1 - i]) for i in range(len(ordered) // 2)]


def quantile(data: Any, q: float) -> Any:
    """A quantile over `replicate` of what is finite; not a number where nothing is."""
    finite = data.where(np.isfinite(data)) if data.dtype.kind == "f" else data
    axis = data.dims.index("replicate")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all-NaN slices are NaN, and counted in the title
        values = np.nanquantile(np.asarray(finite.values, float), q, axis=axis)
    return finite.isel(replicate=0, drop=True).copy(data=values)


def centre_only(data: Any) -> tuple[Any, str]:
    """(data, words): the mean over `replicate`, or the recorded mean or median, for figures without bands."""
    if "replicate" in data.dims:
        count = data.sizes["replicate"]
        words = f"{count} replicates" if count > 1 else "one replicate"
        finite = data.where(np.isfinite(data)) if data.dtype.kind == "f" else data
        return finite.mean("replicate", dtype=np.float64, keep_attrs=True), words
    if "statistic" in data.dims:
        name = _centre_name([str(word) for word in data["statistic"].values])
        return data.sel(statistic=name, drop=True), f"{name} of replicates"
    return data, ""


def _recorded(data: Any) -> Summary:
    names = [str(word) for word in data["statistic"].values]
    centre = _centre_name(names)
    of = {name: data.isel(statistic=i, drop=True) for i, name in enumerate(names)}
    levels = sorted((float(name[1:]), name) for name in names if name.startswith("q"))
    bands, spans = [], []
    while len(levels) > 1:
        (low, below), (high, above) = levels[0], levels[-1]
        levels = levels[1:-1]
        bands.append((of[below], of[above]))
        spans.append(f"{low * 100:g}\N{EN DASH}{high * 100:g} %")
    if not bands and "std" in of:
        bands, spans = [(of[centre] - of["std"], of[centre] + of["std"])], ["one standard deviation"]
    words = f"{centre}{', ' * bool(spans)}{' and '.join(spans)} of replicates"
    return Summary(of[centre], bands, words)


def _centre_name(names: list[str]) -> str:
    for name in ("mean", "median", "q0.5"):
        if name in names:
            return name
    raise ParameterError(f"statistic: {', '.join(names)} recorded; a mean or a median is needed to draw a figure")
