r"""Nested Gaussian averages of a tabulated function: the channel's side of k steps of replica-symmetry breaking.

Parisi's recursion at zero temperature, from the innermost level k to the outermost,

.. math::
    F_{k+1} = F, \qquad F_j(w) = \frac1{y_j}\log E_{\xi\sim N(0, \Delta_j)}\, e^{y_j F_{j+1}(w + \xi)},
    \qquad C = E_\mu E_{w\sim N(c_\mu, v)} F_1(w),

with independent variances per coordinate of w (one per token). Functions are tabulated on uniform grids, on which a
Gaussian average of a smooth function by the trapezoidal rule converges faster than any power of the spacing. All
derivatives are those of the sums themselves, so that they agree with differences of C to rounding; F enters by its
values alone, not by its derivatives, since the Moreau envelope has kinks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from replica.common.by_value import ByValue

__all__ = ["NestedAverage", "curvature_forms", "nested_average"]


@dataclass(frozen=True, eq=False, repr=False)
class NestedAverage(ByValue):
    r"""A nested average and its derivatives; N nodes mu, D coordinates, k steps.

    Attributes
    ----------
    value
        C.
    by_variance
        Derivatives in the outermost variances v, (D,).
    by_step_variance
        Derivatives in the variances :math:`\Delta_j`, (k, D).
    by_centre
        Derivatives in the centres, (N, D).
    by_parisi
        Derivatives in y, (k,).
    tilted
        Weights (N, n, ..., n) of the innermost field: the average of any function over the tilted law is the sum of
        its values times these.
    """

    value: float
    by_variance: np.ndarray
    by_step_variance: np.ndarray
    by_centre: np.ndarray
    by_parisi: np.ndarray
    tilted: np.ndarray


@dataclass(frozen=True)
class _Level:
    """A step on the way outwards: what it was given, and what came of it."""

    y: float
    kernels: tuple[np.ndarray, ...]
    inner: np.ndarray
    outer: np.ndarray
    exponentials: np.ndarray
    sums: np.ndarray
    curvatures: np.ndarray

    def inwards(self, tilted: np.ndarray) -> np.ndarray:
        """Return the tilted law of the inner field from that of the outer one."""
        return self.exponentials * _along_axes(tilted / self.sums, [kernel.T for kernel in self.kernels])


def nested_average(
    values: np.ndarray,
    axes: np.ndarray,
    centres: np.ndarray,
    weights: np.ndarray,
    variance: np.ndarray,
    step_variances: np.ndarray,
    parisi: Sequence[float] | np.ndarray,
) -> NestedAverage:
    """Average a tabulated function.

    Parameters
    ----------
    values
        F on the grid of every node, (N, n, ..., n) with D axes.
    axes
        The grids' coordinates, uniform with the same spacing everywhere, (N, D, n).
    centres
        Means of the outermost field, (N, D).
    weights
        Weights of the nodes, (N,).
    variance
        Variances v of the outermost field, (D,).
    step_variances
        Variances of the steps, outermost first, (k, D).
    parisi
        y of the steps, outermost first, positive, (k,).
    """
    levels = _levels(values, axes, step_variances, parisi)
    values = levels[-1].outer if levels else values
    tilted = _outermost(axes, centres, weights, variance)
    scaled = (axes - centres[:, :, None]) / variance[None, :, None]
    # A Gaussian's derivatives in mean and variance are its own first derivative and half of its second one.
    marginals = [_marginal(tilted * values, d) for d in range(axes.shape[1])]
    by_centre = np.stack([np.sum(x * scaled[:, d], axis=1) for d, x in enumerate(marginals)], axis=1)
    curvature = scaled**2 - 1.0 / variance[None, :, None]
    by_variance = np.array([0.5 * np.sum(x * curvature[:, d]) for d, x in enumerate(marginals)])
    value = float(np.sum(tilted * values))
    by_step, by_parisi = np.zeros(np.shape(step_variances)), np.zeros(len(parisi))
    for j, level in enumerate(reversed(levels)):
        ratio = tilted / level.sums
        by_step[j] = [0.5 / level.y * float(np.sum(ratio * curvature)) for curvature in level.curvatures]
        before = float(np.sum(tilted * level.outer))
        tilted = level.inwards(tilted)
        by_parisi[j] = (float(np.sum(tilted * level.inner)) - before) / level.y
    return NestedAverage(value, by_variance, by_step, by_centre, by_parisi, tilted)


def curvature_forms(
    values: np.ndarray,
    axes: np.ndarray,
    centres: np.ndarray,
    weights: np.ndarray,
    variance: np.ndarray,
    step_variances: np.ndarray,
    parisi: Sequence[float] | np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Average squares of second derivatives, level by level: what gaps that are split off a level grow by.

    Parameters
    ----------
    values, axes, centres, weights, variance, step_variances, parisi
        As for :func:`nested_average`.

    Returns
    -------
    forms : numpy.ndarray
        :math:`E\langle(\partial_a\partial_b F_{j+1})^2\rangle_j` for j = 0 ... k - 1, (k, D, D): averages over the law
        of the field of level j. That of :math:`F_{k+1}`, which has kinks, is not for a grid.
    tilted : numpy.ndarray
        The law of the innermost field, as in :class:`NestedAverage`.
    """
    levels = _levels(values, axes, step_variances, parisi)
    tilted = _outermost(axes, centres, weights, variance)
    dimensions = axes.shape[1]
    forms = np.zeros((len(levels), dimensions, dimensions))
    for j, (level, variances) in enumerate(zip(reversed(levels), step_variances, strict=True)):
        for a, b, second in _second_derivatives(level, axes[0, 0], variances):
            forms[j, a, b] = forms[j, b, a] = float(np.sum(tilted * second**2))
        tilted = level.inwards(tilted)
    return forms, tilted


def _second_derivatives(
    level: _Level, axis: np.ndarray, variances: np.ndarray
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield the second derivatives of a level's outer function: a Gaussian average has those of the Gaussian."""
    scaled = (axis[None, :] - axis[:, None])[None] / np.reshape(variances, (-1, 1, 1))
    first = [kernel * x for kernel, x in zip(level.kernels, scaled, strict=True)]
    second = [
        kernel * (x**2 - 1.0 / v) for kernel, x, v in zip(level.kernels, scaled, np.ravel(variances), strict=True)
    ]
    count = len(first)

    def average(chosen: dict[int, np.ndarray]) -> np.ndarray:
        return _along_axes(level.exponentials, [chosen.get(d, level.kernels[d]) for d in range(count)]) / level.sums

    gradient = [average({a: first[a]}) for a in range(count)]
    for a in range(count):
        for b in range(a, count):
            mixed = average({a: second[a]} if a == b else {a: first[a], b: first[b]})
            yield a, b, (mixed - gradient[a] * gradient[b]) / level.y


def _levels(
    values: np.ndarray, axes: np.ndarray, step_variances: np.ndarray, parisi: Sequence[float] | np.ndarray
) -> list[_Level]:
    """Do all steps of the recursion, from the innermost outwards."""
    levels: list[_Level] = []
    for y, variances in zip(parisi[::-1], step_variances[::-1], strict=True):
        levels.append(_outwards(values, axes, variances, float(y)))
        values = levels[-1].outer
    return levels


def _outermost(axes: np.ndarray, centres: np.ndarray, weights: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return the law of the outermost field as weights of the grids' points, (N, n, ..., n)."""
    spacing = axes[0, 0, 1] - axes[0, 0, 0]
    offsets = axes - centres[:, :, None]
    density = np.exp(-0.5 * offsets**2 / variance[None, :, None]) * spacing
    density /= np.sqrt(2.0 * np.pi * variance)[None, :, None]
    return _product(density) * _spread(weights, axes.shape[1] + 1)


def _outwards(values: np.ndarray, axes: np.ndarray, variances: np.ndarray, y: float) -> _Level:
    """Do one step of the recursion."""
    axis = axes[0, 0]
    distances = axis[:, None] - axis[None, :]
    spacing = axis[1] - axis[0]
    kernels, second = [], []
    for variance in variances:
        kernel, curvature = _gaussian(distances, spacing, float(variance))
        kernels.append(kernel)
        second.append(curvature)
    dimensions = tuple(range(1, values.ndim))
    largest = y * np.max(values, axis=dimensions, keepdims=True)
    exponentials = np.exp(y * values - largest)
    # NOTE: far out, where y F lies 700 below its largest value, exponentials vanish: F_j is -700/y there, and no
    # average shows it.
    sums = np.maximum(_along_axes(exponentials, kernels), np.finfo(float).tiny)
    curvatures = np.stack(
        [
            _along_axes(exponentials, [second[d] if d == other else kernels[other] for other in range(len(kernels))])
            for d in range(len(kernels))
        ]
    )
    outer = (largest + np.log(sums)) / y
    return _Level(y, tuple(kernels), values, outer, exponentials, sums, curvatures)


def _gaussian(distances: np.ndarray, spacing: float, variance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return weights of a Gaussian average on a uniform grid, and twice their derivatives in the variance.

    The weights are normalised as on an endless grid: a constant is averaged to itself, however narrow the Gaussian and
    small y is, by which logarithms of averages are divided.
    """

    def raw(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        density = np.exp(-(x**2) / (2.0 * variance)) * spacing / np.sqrt(2.0 * np.pi * variance)
        return density, (x**2 / variance - 1.0) / variance * density

    endless = spacing * np.arange(1, int(np.ceil(9.0 * np.sqrt(variance) / spacing)) + 1)
    tails, centre = raw(endless), raw(np.zeros(1))
    total, slope = (float(middle[0] + 2.0 * np.sum(tail)) for middle, tail in zip(centre, tails, strict=True))
    kernel, curvature = raw(distances)
    return kernel / total, (curvature - kernel * slope / total) / total


def _along_axes(table: np.ndarray, matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Apply a matrix along every axis of the tables (N, n, ..., n)."""
    for axis, matrix in enumerate(matrices, start=1):
        table = np.moveaxis(np.matmul(np.moveaxis(table, axis, -1), matrix.T), -1, axis)
    return table


def _product(factors: np.ndarray) -> np.ndarray:
    """Return the outer products (N, n, ..., n) of factors (N, D, n)."""
    result = factors[:, 0]
    for d in range(1, factors.shape[1]):
        shape = (len(factors), *(1,) * d, factors.shape[2])
        result = result[..., None] * factors[:, d].reshape(shape)
    return result


def _spread(weights: np.ndarray, dimensions: int) -> np.ndarray:
    return weights.reshape(-1, *(1,) * (dimensions - 1))


def _marginal(table: np.ndarray, kept: int) -> np.ndarray:
    """Sum a table (N, n, ..., n) over all coordinates but one, (N, n)."""
    return table.sum(axis=tuple(axis for axis in range(1, table.ndim) if axis != kept + 1))
