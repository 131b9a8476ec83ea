"""Multi-index models that several tests solve or simulate: regressions, polynomials, attention typed anew, clouds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sympy as sp

from replica import MultiIndexModel, SampleClass, Spectrum
from replica.model.functions.user_functions import softmax

NOISE, LABEL = sp.symbols("noise label")
RIDGE = MultiIndexModel(
    lambda z, y: (z[0] - y[0]) ** 2 / 2, 0.1, lambda h, xi: [h[0] + NOISE * xi[0]], noise=1, parameters={"noise": 0.7}
)
PSEUDO_HUBER = MultiIndexModel(
    lambda z, y: sp.sqrt(1 + (z[0] - y[0]) ** 2) - 1,
    0.05,
    lambda h, xi: [h[0] + NOISE * xi[0] ** 3],
    noise=1,
    parameters={"noise": 0.5},
)
PHASE_RETRIEVAL = MultiIndexModel(lambda z, y: (z[0] ** 2 - y[0] ** 2) ** 2 / 4, 0.05, lambda h, xi: [h[0]])

NOISY_RETRIEVAL = MultiIndexModel(
    lambda z, y: (z[0] ** 2 - y[0]) ** 2 / 4,
    0.1,
    lambda h, xi: [h[0] ** 2 + NOISE * xi[0]],
    noise=1,
    parameters={"noise": 0.3},
)
CUBIC = MultiIndexModel(lambda z, y: (z[0] ** 3 - 3 * z[0] - y[0]) ** 2 / 12, 0.1, lambda h, xi: [h[0] ** 3 - 3 * h[0]])


def typed_attention() -> MultiIndexModel:
    """Return the paper's model at omega = 0.3, its loss and outputs typed anew."""

    def softmax_of(h):
        return softmax(h * h.T)

    omega, A = sp.Rational(3, 10), sp.Matrix([[0.6, 0.4], [0.4, 0.6]])
    return MultiIndexModel(
        lambda z, y: sum((y[k] - weight) ** 2 for k, weight in enumerate(softmax_of(z))) / 8,
        0.01,
        lambda h, xi: list((1 - omega) * softmax_of(h) + omega * A),
        spectrum=Spectrum.isotropic(0.25, 0.25),
        positional_gram=[[1, -1], [-1, 1]],
    )


def clouds(loss, classes: Sequence[SampleClass], penalty: float = 0.1) -> MultiIndexModel:
    """Return a student of one pre-activation on clouds, with a loss of that and of ``LABEL``."""
    return MultiIndexModel(lambda z, y: loss(z[0]), penalty, classes=classes)


def two_classes(share: float, first: float = 1.0, second: float = -1.0) -> list[SampleClass]:
    """Return clouds along one direction, the first with label 1, the second with -1."""
    return [SampleClass(share, first, {"label": 1.0}), SampleClass(1.0 - share, second, {"label": -1.0})]


def logistic(z: sp.Expr) -> sp.Expr:
    return sp.log(1 + sp.exp(-LABEL * z))


def exclusive_or(strength: float) -> MultiIndexModel:
    """Return clouds at the corners of a square, opposite ones alike, learned by the square of a pre-activation."""
    corners = [((1.0, 0.0), 1.0), ((-1.0, 0.0), 1.0), ((0.0, 1.0), -1.0), ((0.0, -1.0), -1.0)]
    classes = [SampleClass(0.25, [[strength * a, strength * b]], {"label": label}) for (a, b), label in corners]
    return clouds(lambda z: (z**2 - 1 - LABEL) ** 2 / 4, classes, 0.3)


def single_location(
    strength: float, shares: Sequence[float] = (0.5, 0.5), penalty: float = 0.1, *, linear: bool = False
) -> MultiIndexModel:
    """Return a token at a random place that the output is of, found by the student's first column, with its softmax."""
    tokens = len(shares)
    places = sp.symbols(f"place_1:{tokens + 1}")
    classes = [
        SampleClass(share, (strength * row).tolist(), dict(zip(map(str, places), row.tolist(), strict=True)))
        for share, row in zip(shares, np.eye(tokens), strict=True)
    ]

    def student(z):
        scores = z[:, 0].T
        return ((scores if linear else softmax(scores)) * z[:, 1])[0]

    return MultiIndexModel(
        lambda z, y: (y[0] - student(z)) ** 2 / 2,
        penalty,
        lambda h, xi: [sum(place * h[k] for k, place in enumerate(places)) + sp.Rational(3, 10) * xi[0]],
        noise=1,
        rank=2,
        spectrum=Spectrum.isotropic(*[1.0] * tokens),
        classes=classes,
    )
