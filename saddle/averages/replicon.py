r"""Local stability of a solution against replica-symmetry breaking (theory notes, section 9).

The replicon eigenvalue is one minus the largest eigenvalue of a linear map (``saddle.averages.replicon_map``), whose
channel part is averaged here; for the paper's model it is :math:`1 - \alpha\,\mathbb{E}|dz^\star/dw - 1|^2`, with the
squared Frobenius norm. The integrand is not one for the rule of ``saddle.averages.rules.lattice``: where a jump of z*
is about to be born, at a distance delta in the outer variables, averages along lines grow as :math:`|\delta|^{-1/2}`,
on either side, whereas those of the residual have a finite slope there. So for attention of two tokens and rank one,
one outer direction is integrated like the lines themselves: along the difference of the teacher fields, which the
births cross transversally, each is located, and nodes are graded towards it, after which the remaining two directions
see a smooth function. Which direction births of another loss cross is not known: their averages are those of the
rule's own nodes, and rough where there are jumps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from saddle.averages.channel import Channel
from saddle.averages.channel_averages import N_COUNTS
from saddle.averages.replicon_map import form_size, largest_eigenvalue
from saddle.averages.rules.body_centred import BodyCentredRule
from saddle.averages.rules.lattice import STRETCH, LineRule
from saddle.averages.rules.line_orders import LineOrders
from saddle.averages.rules.outer import SignedPermutation
from saddle.averages.rules.sobol import SobolRule
from saddle.kernel.line_functions import REPLICON

__all__ = ["Replicon", "replicon"]

# Spacing at which jumps are looked for along the difference of the teacher fields, in standard deviations.
SCAN_SPACING = 0.3
# Halvings of an interval that holds a birth: to 1e-9, far less than the distance of the nearest node.
HALVINGS = 28
# Nodes at s_0 + x^2 next to a birth, as far as it reaches; plain nodes beyond. More of the former would come so
# close to the birth that lines of LINE_NODES nodes do not resolve the peak of the integrand.
GRADED_NODES, GRADED_REACH, PLAIN_NODES = 10, 1.0, 20
LINE_NODES = (64, 40)
# What absolute differences of embedded rules are multiplied with: a checkerboard in the outer lattice, and every
# second node along the difference of the teacher fields (docs/theory.md, section 9, says how well that does).
FACTORS = np.array([0.25, 1.0])
# What lines next to a birth leave, relative to the regular average, whatever the outer nodes (measured there, too).
LINE_ERROR = 5e-4
# Largest relative error of the regular average on a lattice's own nodes where there are jumps; measured at 18
# solutions of the paper's models.
QUICK_ERROR = 0.4


@dataclass(frozen=True)
class Replicon:
    r"""The replicon eigenvalue of a solution at zero temperature.

    At a small temperature T it is :math:`-C/T + O(1)`, where C is the strength of the jumps of the proximal point;
    without jumps its limit is the regular part.

    Attributes
    ----------
    regular, regular_error
        One minus the largest eigenvalue of the map of ``saddle.averages.replicon_map``, its average leaving out the
        jumps themselves. For rank one, tokens of equal covariance and a single eigenvalue it is :math:`1 -
        \alpha\,\mathbb{E}|dz^\star/dw - 1|^2`.
    jump_strength, jump_strength_error
        C, not negative: at a small temperature T the jumps' part of the map is 1/T times a sum of positive maps, one
        per jump, and C is that sum's largest eigenvalue.
    jumps, failures
        Numbers of jumps met and of failed searches, over all lines.
    """

    regular: float
    regular_error: float
    jump_strength: float
    jump_strength_error: float
    jumps: int
    failures: int

    @property
    def jumping(self) -> bool:
        """Whether proximal points jump, to the accuracy of C."""
        return self.jump_strength > self.jump_strength_error

    @property
    def stable(self) -> bool | None:
        """Whether symmetry is locally stable: no jumps, and a positive regular part.

        None ("not known") where without jumps the eigenvalue is zero within its error.
        """
        if self.jumping:
            return False
        return None if abs(self.regular) <= self.regular_error else self.regular > 0.0


@dataclass(frozen=True)
class _Forms:
    """Averages of the channel's form: entries on and above its diagonal, regular ones and then those of the jumps.

    Attributes
    ----------
    sums
        Averages, (2 m,).
    differences
        What embedded rules change, (k, 2 m).
    error
        How the differences of an average (k,) combine to its error.
    counts
        Jumps, failures and proximal points, over all lines, (3,).
    """

    sums: np.ndarray
    differences: np.ndarray
    error: Callable[[np.ndarray], np.ndarray]
    counts: np.ndarray

    def largest(self, weights: np.ndarray, part: int) -> tuple[float, float]:
        """Return the largest eigenvalue of the regular (0) or the jumps' (1) map, and its error to first order."""
        size = len(self.sums) // 2
        own = slice(part * size, (part + 1) * size)
        value, slopes = largest_eigenvalue(weights, self.sums[own])
        return value, float(self.error(self.differences[:, own] @ slopes))


def replicon(
    channel: Channel, state: np.ndarray, alpha: float, weights: np.ndarray, *, quick: bool = False
) -> Replicon:
    """Average what the replicon eigenvalue needs at a state (n,), and put it together.

    ``weights`` is the weights' map there, see :func:`saddle.averages.replicon_map.weights_map`. If ``quick``, on the
    outer nodes of the residual, which is rough for the regular part where there are jumps; so always on a lattice for
    another loss than attention's.
    """
    between = isinstance(channel.rule, LineRule) and channel.planar and not quick
    if isinstance(channel.rule, BodyCentredRule):
        channel = replace(channel, rule=_scattered(len(channel.outer(state).weights)))
    if isinstance(channel.rule, LineRule) and between:
        forms = _averages_between_births(channel, channel.rule, state)
    else:
        forms = _averages(channel, state)
    regular, error = forms.largest(weights, 0)
    jumps, jumps_error = forms.largest(weights, 1)
    if isinstance(channel.rule, LineRule):
        error += (QUICK_ERROR if forms.counts[0] and not between else LINE_ERROR) * abs(regular)
    return Replicon(
        regular=float(1.0 - alpha * regular),
        regular_error=float(alpha * error),
        jump_strength=float(alpha * jumps),
        jump_strength_error=float(alpha * jumps_error),
        jumps=int(forms.counts[0]),
        failures=int(forms.counts[1]),
    )


def _scattered(lines: int) -> SobolRule:
    """Return scattered points, about as many as a lattice has lines.

    Where jumps are born the integrand has no variance, and a lattice's embedded rules err as it does: only the scatter
    of independent points shows it.
    """
    default = SobolRule()
    return replace(default, points=max(default.points, 2 ** round(math.log2(lines / default.scrambles))))


def _size(channel: Channel) -> int:
    """Return how many averages a line has: two forms."""
    return 2 * form_size(channel.space.layout.group_count, channel.space.layout.rank)


def _averages(channel: Channel, state: np.ndarray) -> _Forms:
    """Average on the rule's own nodes.

    NOTE: the integrand has no variance (its square has a logarithmic divergence where jumps are born), so that
    errors fall a little more slowly than one over the square root of the number of lines.
    """
    outer, size = channel.outer(state), _size(channel)
    rows = channel.line_rows(state, outer.nodes, size + N_COUNTS, REPLICON)
    sums = np.einsum("k,kj->j", outer.weights, rows[:, :size])
    embedded = np.einsum("ik,kj->ij", outer.embedded, rows[:, :size])
    return _Forms(sums, embedded - sums, outer.error, rows[:, size:].sum(axis=0))


def _signs(generators: tuple[SignedPermutation, ...]) -> set[tuple[int, int]]:
    """Return the group of signs by which symmetries act on the sum of the teacher fields and on the common mode.

    Every generator acts on both teacher fields with the same sign; exchanging them leaves their sum.
    """
    group = {(1, 1)}
    for (_, sign), _, (_, common) in generators:
        group |= {(sign * x, common * y) for x, y in group}
    return group


def _half_lattice(rule: LineRule, signs: set[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes (n, 2) in the sum of the teacher fields and the common mode, and weights (2, n).

    The second row of weights is that of a checkerboard. Of nodes that signs map to each other there is only one.
    """
    spacing = np.array([rule.teacher_spacing, rule.common_spacing])
    largest = (rule.reach / spacing).astype(int) + 1
    # NOTE: zero is a node of both axes: half a spacing off, reversing one axis would turn the checkerboard into its
    # complement, which by symmetry gives the same as the whole, and no error would ever be seen.
    axes = [np.arange(-n, n + 1) for n in largest]
    codes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    t = spacing * codes
    stretch = STRETCH[1:]
    x = t + stretch * t**3
    images = np.array([(codes * sign) @ np.array([2 * largest[1] + 1, 1]) for sign in sorted(signs)])
    itself = codes @ np.array([2 * largest[1] + 1, 1])
    chosen = (np.sum(x**2, axis=1) <= rule.reach**2) & (images.max(axis=0) == itself)
    codes, t, x = codes[chosen], t[chosen], x[chosen]
    multiplicity = 1 + np.sum(np.diff(np.sort(images[:, chosen], axis=0), axis=0) > 0, axis=0)
    weights = np.exp(-0.5 * np.sum(x**2, axis=1)) / (2.0 * np.pi) * np.prod(spacing) * multiplicity
    weights *= np.prod(1.0 + 3.0 * stretch * t**2, axis=1)
    return x, np.array([weights, 2.0 * weights * (codes.sum(axis=1) % 2 == 0)])


def _legendre(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Gauss-Legendre nodes (n,) on [0, 1], and weights (2, n): theirs, and of every second node alone."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    half = np.zeros(nodes)
    moments = np.zeros(nodes // 2)
    moments[0] = 2.0
    # Interpolation, exact for as many powers as there are nodes; without the node next to the birth.
    half[1::2] = np.linalg.solve(np.polynomial.legendre.legvander(x[1::2], nodes // 2 - 1).T, moments)
    return 0.5 * (1.0 + x), 0.5 * np.array([w, half])


def _pieces(births: np.ndarray, reach: float) -> Iterator[tuple[float, float, bool]]:
    """Yield start, end and whether nodes are graded towards the start, of the pieces of [-reach, reach]."""
    if len(births) == 0:
        yield 0.0, -reach, False
        yield 0.0, reach, False
        return
    middles = 0.5 * (births[1:] + births[:-1])
    edges = np.concatenate([[-reach], middles, [reach]])
    for birth, low, high in zip(births, edges[:-1], edges[1:], strict=True):
        for far in (low, high):
            edge = birth + np.clip(far - birth, -GRADED_REACH, GRADED_REACH)
            yield birth, edge, True
            if edge != far:
                yield edge, far, False


def _averages_between_births(channel: Channel, rule: LineRule, state: np.ndarray) -> _Forms:
    """Average for two tokens of rank one, one direction broken where jumps are born."""
    size = _size(channel)
    nodes, weights = _half_lattice(rule, _signs(channel.symmetries(state)))
    mode, reach, every = REPLICON, rule.reach, np.arange(len(nodes))

    def lines(owner: np.ndarray, difference: np.ndarray, line: LineOrders) -> np.ndarray:
        total, common = nodes[owner].T
        outer = np.stack([total + difference, total - difference, np.sqrt(2.0) * common], axis=1) / np.sqrt(2.0)
        return channel.line_rows(state, outer, size + N_COUNTS, mode, line)

    # Where the number of jumps changes, one is born. Only jumps matter here, so lines are hardly integrated.
    counting = replace(rule.line, graded_nodes=1, plain_nodes=1)
    scan = np.linspace(-reach, reach, int(2.0 * reach / SCAN_SPACING) + 2)
    jumps = lines(np.repeat(every, len(scan)), np.tile(scan, len(nodes)), counting)[:, size]
    jumps = jumps.reshape(len(nodes), len(scan))
    owner, k = np.nonzero(np.diff(jumps, axis=1))
    low, high, before = scan[k], scan[k + 1], jumps[owner, k]
    for _ in range(HALVINGS if len(owner) else 0):
        middle = 0.5 * (low + high)
        unborn = lines(owner, middle, counting)[:, size] == before
        low, high = np.where(unborn, middle, low), np.where(unborn, high, middle)
    births = 0.5 * (low + high)

    owners, differences, along = [], [], []
    tables = {graded: _legendre(GRADED_NODES if graded else PLAIN_NODES) for graded in (True, False)}
    for node in every:
        for start, end, graded in _pieces(births[owner == node], reach):
            x, w = tables[graded]
            difference = start + (end - start) * (x**2 if graded else x)
            w = w * abs(end - start) * (2.0 * x if graded else 1.0)
            differences.append(difference)
            along.append(w * np.exp(-0.5 * difference**2) / np.sqrt(2.0 * np.pi))
            owners.append(np.full(len(x), node))
    owner, along = np.concatenate(owners), np.concatenate(along, axis=1)
    fine = replace(rule.line, graded_nodes=LINE_NODES[0], plain_nodes=LINE_NODES[1])
    rows = lines(owner, np.concatenate(differences), fine)
    values = rows[:, :size]
    sums, outer_half, inner_half = (
        np.einsum("k,k,kj->j", weights[i, owner], along[j], values) for i, j in ((0, 0), (1, 0), (0, 1))
    )
    differences = np.array([outer_half - sums, inner_half - sums])
    return _Forms(sums, differences, lambda x: FACTORS @ np.abs(x), rows[:, size:].sum(axis=0))
