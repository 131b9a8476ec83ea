"""Problems with known special points, a change of variables, and a count of evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from saddle.continuation.curve.bounds import Bounds
from saddle.continuation.curve.stepping import StepControl
from saddle.continuation.curve.tracing import Curve, Stop, trace_both_ways
from saddle.continuation.problem import Evaluation, FunctionProblem, Involution, KnownDerivatives, Problem
from saddle.continuation.special_points.finding import find_special_points
from saddle.continuation.special_points.special_point import CurveFunction, SpecialPoint, SpecialPointKind
from saddle.continuation.subspaces import Section, symmetry_blocks

SHARP = StepControl(tolerance=1e-12)


def cusp() -> FunctionProblem:
    """mu + lam x - x^3 with potential; parameters (mu, lam)."""
    return FunctionProblem(
        1,
        lambda x, p: np.array([p[0] + p[1] * x[0] - x[0] ** 3]),
        lambda x, p: np.array([[p[1] - 3 * x[0] ** 2]]),
        lambda x, p: np.array([[1.0, x[0]]]),
        lambda x, p: x[0] ** 4 / 4 - p[1] * x[0] ** 2 / 2 - p[0] * x[0],
        lambda x, p: np.array([-x[0], -(x[0] ** 2) / 2]),
    )


def reaction() -> FunctionProblem:
    """Exothermic reaction; parameters (D, beta)."""

    def residual(u, p):
        made = p[0] * (1 - u[0]) * np.exp(u[1])
        return np.array([-u[0] + made, -4 * u[1] + p[1] * made])

    def jacobian(u, p):
        e = p[0] * np.exp(u[1])
        return np.array([[-1 - e, e * (1 - u[0])], [-p[1] * e, -4 + p[1] * e * (1 - u[0])]])

    def by_parameters(u, p):
        e = (1 - u[0]) * np.exp(u[1])
        return np.array([[e, 0.0], [p[1] * e, p[0] * e]])

    return FunctionProblem(2, residual, jacobian, by_parameters, parameter_unit=np.array([0.1, 10.0]))


def rate(s):
    return s / (1 + s + s * s)


def enzyme(declared: bool = True) -> FunctionProblem:
    """Two cells that exchange a substrate; the mirror image swaps them."""

    def slope(s):
        return (1 - s * s) / (1 + s + s * s) ** 2

    return FunctionProblem(
        2,
        lambda s, p: p[0] - 2 * s + s[::-1] - 100 * rate(s),
        lambda s, p: np.array([[0.0, 1.0], [1.0, 0.0]]) - np.diag(2 + 100 * slope(s)),
        lambda s, p: np.ones((2, 1)),
        unknown_units=5.0,
        parameter_unit=10.0,
        noise=1e-13,
        symmetries=(Involution(np.array([[0.0, 1.0], [1.0, 0.0]])),) if declared else (),
    )


KERNELS = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], [1, 2, 3, 4, 5])


def kernels(declared: bool = True) -> FunctionProblem:
    """-x + lam K x - x^3: the branch points of x = 0 have kernels of 1 to 5 dimensions."""
    k = 1 / KERNELS
    return FunctionProblem(
        15,
        lambda x, p: -x + p[0] * k * x - x**3,
        lambda x, p: np.diag(-1 + p[0] * k - 3 * x**2),
        lambda x, p: (k * x)[:, None],
        symmetries=(Involution(-np.eye(15)),) if declared else (),
    )


def bratu(n: int) -> FunctionProblem:
    """u'' + lam e^u = 0 by three-point differences."""
    second = (np.diag(np.full(n, -2.0)) + np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)) * (n + 1) ** 2
    return FunctionProblem(
        n,
        lambda u, p: second @ u + p[0] * np.exp(u),
        lambda u, p: second + p[0] * np.diag(np.exp(u)),
        lambda u, p: np.exp(u)[:, None],
        noise=3e-13,
    )


def blume_capel() -> FunctionProblem:
    """m = 2 sinh(m/T) / (e^(D/T) + 2 cosh(m/T)) with its free energy; parameters (T, D)."""

    def residual(m, p):
        t, d = p
        return m - 2 * np.sinh(m / t) / (np.exp(d / t) + 2 * np.cosh(m / t))

    def parts(m, p):
        t, d = p
        x, e = m[0] / t, np.exp(d / t)
        whole = e + 2 * np.cosh(x)
        mean = 2 * np.sinh(x) / whole
        return t, d, x, e, whole, mean, 2 * np.cosh(x) / whole - mean**2

    def jacobian(m, p):
        t, *_, variance = parts(m, p)
        return np.array([[1 - variance / t]])

    def by_parameters(m, p):
        t, d, x, e, whole, mean, variance = parts(m, p)
        return np.array([[variance * x / t - mean * e * d / (whole * t * t), mean * e / (whole * t)]])

    def potential(m, p):
        t, d = p
        return m[0] ** 2 / 2 - t * np.log(1 + 2 * np.exp(-d / t) * np.cosh(m[0] / t))

    def potential_by_parameters(m, p):
        t, d, x, e, whole, mean, _ = parts(m, p)
        filled = 2 * np.cosh(x) / whole
        return np.array([-np.log(whole / e) - d / t * filled + x * mean, filled])

    return FunctionProblem(
        1,
        residual,
        jacobian,
        by_parameters,
        potential,
        potential_by_parameters,
        parameter_unit=0.1,
        symmetries=(Involution(-np.eye(1)),),
        stability_sign=1.0,
    )


@dataclass(frozen=True)
class Transformed:
    """The same problem in other variables: x = B (y + bend sin y) + b, and residuals C F.

    The offset b is fixed by every symmetry; symmetries need bend = 0.
    """

    inner: FunctionProblem
    matrix: np.ndarray
    offset: np.ndarray
    mix: np.ndarray
    bend: float = 0.0

    @classmethod
    def random(cls, inner: FunctionProblem, seed: int, bend: float = 0.0, similar: bool = False) -> Transformed:
        """Condition numbers of at most e; with ``similar`` C = B^-1, which keeps the eigenvalues of dF/dx."""
        generator = np.random.default_rng(seed)
        n = inner.size

        def mixing() -> np.ndarray:
            left, right = (np.linalg.qr(generator.standard_normal((n, n)))[0] for _ in range(2))
            return left @ np.diag(np.exp(generator.uniform(-0.5, 0.5, n))) @ right

        matrix = np.broadcast_to(inner.unknown_units, n)[:, None] * mixing()
        offset = matrix @ generator.standard_normal(n)
        for symmetry in inner.symmetries:
            offset = 0.5 * (offset + symmetry.on_unknowns @ offset)
        return cls(inner, matrix, offset, np.linalg.inv(matrix) if similar else mixing(), bend)

    @property
    def size(self) -> int:
        return self.inner.size

    @property
    def noise(self) -> float:
        return 10.0 * self.inner.noise

    @property
    def difference_step(self) -> float:
        return self.inner.difference_step

    @property
    def symmetries(self) -> tuple[Involution, ...]:
        inverse, undone = np.linalg.inv(self.matrix), np.linalg.inv(self.mix)
        return tuple(
            Involution(inverse @ s.on_unknowns @ self.matrix, self.mix @ s.residuals @ undone)
            for s in self.inner.symmetries
        )

    @property
    def stability_sign(self) -> float:
        return self.inner.stability_sign

    def evaluate(self, x: np.ndarray, parameters: np.ndarray) -> Evaluation:
        here = self.inner.evaluate(self.back(x), parameters)
        return replace(
            here,
            residual=self.mix @ here.residual,
            jacobian=self.mix @ here.jacobian @ self.matrix * (1 + self.bend * np.cos(x)),
            derivatives=KnownDerivatives(self.mix @ here.parameter_derivatives, here.potential_derivatives),
        )

    def units(self, x: np.ndarray) -> np.ndarray:
        return np.ones(self.size)

    def parameter_units(self, parameters: np.ndarray) -> np.ndarray:
        return self.inner.parameter_units(parameters)

    def back(self, y: np.ndarray) -> np.ndarray:
        """The original unknowns."""
        return self.matrix @ (y + self.bend * np.sin(y)) + self.offset

    def there(self, x: np.ndarray) -> np.ndarray:
        """The new unknowns, by fixed-point iteration."""
        target = np.linalg.solve(self.matrix, x - self.offset)
        y = target
        for _ in range(200):
            y = target - self.bend * np.sin(y)
        return y


@dataclass
class Counted:
    """A problem whose evaluations of residual and Jacobian are counted."""

    inner: Problem
    count: int = 0

    @property
    def size(self) -> int:
        return self.inner.size

    @property
    def noise(self) -> float:
        return self.inner.noise

    @property
    def difference_step(self) -> float:
        return self.inner.difference_step

    @property
    def symmetries(self) -> Sequence[Involution]:
        return self.inner.symmetries

    @property
    def stability_sign(self) -> float:
        return self.inner.stability_sign

    def evaluate(self, x: np.ndarray, parameters: np.ndarray) -> Evaluation:
        self.count += 1
        return self.inner.evaluate(x, parameters)

    def units(self, x: np.ndarray) -> np.ndarray:
        return self.inner.units(x)

    def parameter_units(self, parameters: np.ndarray) -> np.ndarray:
        return self.inner.parameter_units(parameters)


def branch(
    problem: Problem,
    x: Sequence[float] | np.ndarray,
    parameters: Sequence[float],
    bounds: tuple[float, float],
    active: int = 0,
    *,
    sign: float = 1.0,
    functions: Sequence[CurveFunction] = (),
    control: StepControl = SHARP,
    stops: Sequence[Stop] = (),
) -> tuple[Section, Curve, list[SpecialPoint]]:
    """Trace a branch through a point both ways, first to ``sign`` times larger parameters; find what is special."""
    x, base = np.asarray(x, dtype=float), np.asarray(parameters, dtype=float)
    section = Section(problem, symmetry_blocks(problem, x)[0], base, active)
    start = section.coordinates(x, base[active])
    toward = np.zeros(len(start))
    toward[-1] = sign
    last = len(start) - 1
    curve = trace_both_ways(section, start, toward=toward, bounds=[Bounds(last, *bounds)], stops=stops, control=control)
    return section, curve, find_special_points(section, curve, functions, tolerance=control.tolerance)


def located(special_points: Sequence[SpecialPoint], kind: SpecialPointKind) -> np.ndarray:
    """Parameters of the special points of a kind, all of which must have been located, in increasing order."""
    chosen = [special for special in special_points if special.kind is kind]
    assert all(special.resolved for special in chosen)
    return np.array(sorted(special.parameter for special in chosen))
