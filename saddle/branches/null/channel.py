r"""The channel where the student's weights vanish: averages over the outputs of the loss about z = 0.

With q = m = theta = 0 the local field w is zero in every sample. As long as z* = 0 is the global minimiser for all
outputs, the envelope is, for small fields,

.. math::
    \mathcal M(w) = \ell(0) + \tfrac12 w^\top K w + \tfrac16 C[A, A, A]_{abc} w_a w_b w_c
    + \tfrac1{24} M_{abcd} w_a w_b w_c w_d,\qquad K = H (1 + V H)^{-1},\quad A = (1 + V H)^{-1},

    M_{abcd} = D[A, A, A, A]_{abcd} - \bigl(C_{ef\cdot} A V C_{gh\cdot}\bigr)[A, A, A, A]_{abcd},
    \text{ the latter summed over the three ways to pair } a, b, c, d,

with H, C and D the loss's second, third and fourth derivatives in z at zero (``replica.equations.origin_expansion``),
all functions of the outputs, that is, of h* and noise. Averaged over w at small q, m and theta this gives E[M] to the
order that first derivatives of the conjugates need.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtri

from replica.quantities.solvable_model import Model
from saddle.averages.channel_averages import ChannelAverages, Columns
from saddle.averages.parameters import parameter_vector, teacher_variances
from saddle.averages.rules.outer import OuterNodes
from saddle.averages.rules.sobol import SobolRule
from saddle.averages.state_space import StateSpace

if TYPE_CHECKING:
    from replica.equations.origin_expansion import OriginExpansion
    from replica.model.loss_model import LossModel

__all__ = ["NEVER", "NullChannel", "Probes", "Response", "null_channel"]

# Nodes along every direction of the teacher's fields and of noise, of a rule and of the one it is compared with, by the
# number of directions. The integrand is smooth; what is given is the difference, the coarser rule's error. The first
# rule that averages the loss at z = 0 and its second derivatives to a relative EXACT is taken, or the last.
HERMITE = {
    1: ((40, 30), (128, 96)),
    2: ((32, 24), (56, 40), (112, 84)),
    3: ((16, 12), (24, 18), (34, 26)),
    4: ((13, 10), (18, 14)),
}
EXACT = 1e-8
MANY_DIRECTIONS = SobolRule(points=4096, scrambles=8)
# Probability of teacher's fields that count as never met: solver's averages do not see them, nor do samples.
NEVER = 1e-10
# Beyond that radius the envelope may have no second derivative at zero; what these fields weigh is left out.
LEAST_CURVATURE = 0.05
CHUNK = 2000
# Rays along which teacher's fields are probed for other minima, and points of each.
RAYS, RAY_POINTS = 128, 24
# Of a ray's points' spacing: how far from the centre, where outputs may be singular, the first one lies.
OFF_CENTRE = 1e-3
# Nodes of less weight are left out: together they do not weigh a rounding error of the average.
LEAST_WEIGHT = 1e-17


def hermite_nodes(dimension: int, counts: tuple[int, int]) -> OuterNodes:
    """Return product nodes for averages over so many standard normals, and a coarser rule that tells the error."""
    rules = []
    for count in counts:
        x, weight = np.polynomial.hermite_e.hermegauss(count)
        weight = weight / weight.sum()
        grids = np.meshgrid(*([x] * dimension), indexing="ij")
        weights = functools.reduce(np.multiply.outer, [weight] * dimension)
        kept = weights.ravel() > LEAST_WEIGHT
        rules.append((np.stack(grids, axis=-1).reshape(-1, dimension)[kept], weights.ravel()[kept]))
    (fine, fine_weights), (coarse, coarse_weights) = rules
    return OuterNodes(
        nodes=np.concatenate([fine, coarse]),
        weights=np.concatenate([fine_weights, np.zeros(len(coarse))]),
        embedded=np.concatenate([np.zeros(len(fine)), coarse_weights])[None],
        factors=np.ones(1),
    )


@dataclass(frozen=True)
class Response:
    r"""How proximal points answer small local fields, at some nodes; N is the number of fields.

    Attributes
    ----------
    used
        Indices of the nodes.
    stiffness
        Least eigenvalue of :math:`1 + V^{1/2} H V^{1/2}`, (nodes,): positive where z = 0 is a minimum.
    curvature
        K, the envelope's second derivatives at w = 0, (nodes, N, N).
    gain
        A = dz*/dw, (nodes, N, N).
    """

    used: np.ndarray
    stiffness: np.ndarray
    curvature: np.ndarray
    gain: np.ndarray


@dataclass(frozen=True)
class Probes:
    """Teacher's fields and noise that are met, from next to the centre of their law out to its far tails, and the loss.

    Attributes
    ----------
    radii
        Distances from the centre in standard deviations, (n,).
    targets
        The outputs, (n, entries).
    losses, hessians
        The loss at z = 0 and its second derivatives, (n,) and (n, N, N).
    """

    radii: np.ndarray
    targets: np.ndarray
    losses: np.ndarray
    hessians: np.ndarray


@dataclass(frozen=True)
class NullChannel:
    """Averages over teacher's fields and noise at q = m = theta = 0, for one model of n order parameters.

    Attributes
    ----------
    model
        What it is of; z = 0 must be stationary for its loss, whatever the outputs.
    space
        The order parameters.
    """

    model: Model
    space: StateSpace

    @cached_property
    def _loss(self) -> LossModel:
        # It meets SymPy, which takes longer to import than most models take to see that they have no need of it.
        from replica.model.any_model import loss_model

        return loss_model(self.model)

    @cached_property
    def expansion(self) -> OriginExpansion:
        """The loss about z = 0, as expressions."""
        from replica.equations.origin_expansion import expand_at_origin

        return expand_at_origin(self._loss)

    @cached_property
    def nodes(self) -> OuterNodes:
        """Standard normal coordinates of teacher's fields and noise, and rules for their average."""
        dimension = self._teacher_size + self.model.noise
        if dimension not in HERMITE:
            return MANY_DIRECTIONS.outer(dimension, 0, ())
        *coarser, finest = HERMITE[dimension]
        for counts in coarser:
            nodes = hermite_nodes(dimension, counts)
            losses, hessians = self.derivatives(self.targets_at(nodes.nodes))
            rows = np.column_stack([losses, hessians.reshape(len(losses), -1)])
            difference = np.abs((nodes.embedded - nodes.weights) @ rows)
            if np.all(difference <= EXACT * (nodes.weights @ np.abs(rows))):
                return nodes
        return hermite_nodes(dimension, finest)

    @property
    def size(self) -> int:
        """Number N of the student's fields in a sample."""
        return self.space.layout.sequence_length * self.space.layout.rank

    @property
    def _teacher_size(self) -> int:
        """Number of the teacher's fields in a sample; further coordinates are noise."""
        return self.space.layout.sequence_length * self.space.layout.teacher_rank

    def teacher_fields(self, standard: np.ndarray) -> np.ndarray:
        """Return h*, (n, tokens, columns), from standard normal coordinates (n, tokens * columns + noise)."""
        layout = self.space.layout
        factors = np.linalg.cholesky(teacher_variances(self.model))[list(layout.groups)]
        shape = (len(standard), layout.sequence_length, layout.teacher_rank)
        return np.einsum("nlt,lst->nls", standard[:, : self._teacher_size].reshape(shape), factors)

    def targets_at(self, standard: np.ndarray) -> np.ndarray:
        """Return the outputs, (n, entries), at standard normal coordinates (n, tokens * columns + noise)."""
        return self.targets(self.teacher_fields(standard), standard[:, self._teacher_size :])

    def targets(self, fields: np.ndarray, noise: np.ndarray | None = None) -> np.ndarray:
        """Return the outputs, (n, entries), at teacher's fields (n, tokens, columns) and noise (n, noise), if any."""
        from saddle.reference.numeric_functions import array_function

        known = self._loss
        arguments = (*(x.symbol for x in known.parameters), *known.teacher_fields, *known.noise_fields)
        function = array_function(arguments, [*known.target.flat()], "the target")
        coordinates = (*fields.reshape(len(fields), -1).T, *(() if noise is None else noise.T))
        with np.errstate(divide="ignore", invalid="ignore"):
            return function(*parameter_vector(self.model), *coordinates).T

    def derivatives(self, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the loss at z = 0, (n,), and its second derivatives, (n, N, N), at targets (n, entries)."""
        entries = self.expansion.hessian
        columns = self._of_targets([self.expansion.value, *entries.values()], targets)
        hessian = np.zeros((len(targets), self.size, self.size))
        for (a, b), column in zip(entries, columns[1:], strict=True):
            hessian[:, a, b] = hessian[:, b, a] = column
        return columns[0], hessian

    def _of_targets(self, expressions: list, targets: np.ndarray) -> np.ndarray:
        from saddle.reference.numeric_functions import array_function

        known = self._loss
        arguments = (*(x.symbol for x in known.parameters), *known.target_symbols)
        function = array_function(arguments, expressions, "the loss at z = 0")
        if not targets.shape[1]:
            # A loss that knows no outputs: one value for all nodes.
            return np.repeat(function(*parameter_vector(self.model))[:, None], len(targets), axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return function(*parameter_vector(self.model), *targets.T)

    @cached_property
    def fields(self) -> np.ndarray:
        """Teacher's fields at the nodes, (nodes, tokens, columns)."""
        return self.teacher_fields(self.nodes.nodes)

    @cached_property
    def node_targets(self) -> np.ndarray:
        """The target's entries at the nodes, (nodes, entries)."""
        return self.targets_at(self.nodes.nodes)

    @cached_property
    def _at_nodes(self) -> tuple[np.ndarray, np.ndarray]:
        return self.derivatives(self.node_targets)

    @property
    def losses(self) -> np.ndarray:
        """The loss at z = 0, (nodes,)."""
        return self._at_nodes[0]

    @property
    def hessians(self) -> np.ndarray:
        """The loss's second derivatives at z = 0, (nodes, N, N)."""
        return self._at_nodes[1]

    @cached_property
    def obstacle(self) -> str:
        """Why z = 0 is not stationary for all outputs, or not known to be, in words; empty if it is."""
        from replica.equations.origin_expansion import NoExpansion

        try:
            if self.expansion.gradient:
                return "the loss's derivatives do not vanish at z = 0 for all outputs"
        except NoExpansion as error:
            return f"{error}"
        used = self.nodes.weights > 0.0
        finite = np.isfinite(self.losses[used]).all() and np.isfinite(self.hessians[used]).all()
        return "" if finite else "the loss, or its curvature, has no finite average at z = 0"

    @cached_property
    def reach(self) -> float:
        """Radius in standard deviations beyond which teacher's fields count as never met."""
        # The square of the radius of k fields follows the law of chi-squared.
        return float(np.sqrt(chdtri(self.nodes.nodes.shape[1], NEVER)))

    @cached_property
    def probes(self) -> Probes:
        """Teacher's fields along rays, at which minima other than z = 0 are looked for."""
        dimension = self.nodes.nodes.shape[1]
        if dimension == 1:
            rays = np.array([[1.0], [-1.0]])
        elif dimension == 2:
            angles = 2.0 * np.pi * np.arange(RAYS) / RAYS
            rays = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        else:
            axes = np.concatenate([np.eye(dimension), -np.eye(dimension)])
            points = SobolRule(points=RAYS // 2, scrambles=2).outer(dimension, 0, ()).nodes
            rays = np.concatenate([axes, points / np.linalg.norm(points, axis=1, keepdims=True)])
        radii = self.reach * np.maximum(np.arange(RAY_POINTS + 1), OFF_CENTRE) / RAY_POINTS
        standard = (radii[:, None, None] * rays).reshape(-1, dimension)
        targets = self.targets_at(standard)
        losses, hessians = self.derivatives(targets)
        known = np.isfinite(losses) & np.isfinite(hessians).all(axis=(1, 2)) & np.isfinite(targets).all(axis=1)
        return Probes(np.repeat(radii, len(rays))[known], targets[known], losses[known], hessians[known])

    @cached_property
    def _met(self) -> np.ndarray:
        return np.sum(self.nodes.nodes**2, axis=1) <= self.reach**2

    @cached_property
    def even_directions(self) -> np.ndarray:
        """How every entry of q, or of V, enters a sample's matrix of all tokens, (entries, N, N)."""
        layout, r = self.space.layout, self.space.layout.rank
        found = []
        for index in self.space.of_kind("self_overlap"):
            x = self.space.quantities[index]
            matrix = np.zeros((self.size, self.size))
            for token in layout.members(x.group or 0):
                a, b = (token * r + k for k in x.indices)
                matrix[a, b] = matrix[b, a] = 1.0
            found.append(matrix)
        return np.array(found)

    @cached_property
    def pairing(self) -> np.ndarray:
        """Twice the mean of the two factors with which q_ab and its conjugate meet in Tr(q V^)/2: 2, or 1 off diagonal.

        A conjugate is alpha times this factor times a derivative of E[M], (entries,).
        """
        quantities = (self.space.quantities[i] for i in self.space.of_kind("self_overlap"))
        return np.array([2.0 if x.indices[0] == x.indices[1] else 1.0 for x in quantities])

    @cached_property
    def odd_directions(self) -> np.ndarray:
        """How every entry of m and theta moves the mean of w given h*, (nodes, entries, N)."""
        layout, r = self.space.layout, self.space.layout.rank
        encoding = self.model.encoding_matrix
        inverse = np.linalg.inv(teacher_variances(self.model))[list(layout.groups)]
        whitened = np.einsum("lst,nlt->nls", inverse, self.fields)
        moves = np.zeros((len(self.fields), len(self.space.odd), self.size))
        for k, index in enumerate(self.space.odd):
            x = self.space.quantities[index]
            row, column = x.indices
            for token in range(layout.sequence_length) if x.group is None else layout.members(x.group):
                moves[:, k, token * r + row] = (
                    encoding[token, column] if x.kind == "positional_overlap" else whitened[:, token, column]
                )
        return moves

    @cached_property
    def odd_covariances(self) -> np.ndarray:
        """Minus half the second derivatives of w's covariance given h* in two of m and theta, (odd, odd, N, N).

        Given h*, w has covariance q - theta rho^{-1} theta^T.
        """
        layout, r, odd = self.space.layout, self.space.layout.rank, self.space.odd
        inverse = np.linalg.inv(teacher_variances(self.model))
        found = np.zeros((len(odd), len(odd), self.size, self.size))
        for i, first in enumerate(odd):
            for j, second in enumerate(odd):
                x, y = self.space.quantities[first], self.space.quantities[second]
                if x.kind != "semantic_overlap" or y.kind != "semantic_overlap" or x.group != y.group:
                    continue
                for token in layout.members(x.group or 0):
                    a, b = token * r + x.indices[0], token * r + y.indices[0]
                    value = 0.5 * inverse[x.group or 0, x.indices[1], y.indices[1]]
                    found[i, j, a, b] += value
                    found[i, j, b, a] += value
        return found

    def block(self, susceptibilities: np.ndarray) -> np.ndarray:
        """Return V as a sample's matrix of all tokens, (N, N), from its entries."""
        return np.einsum("j,jab->ab", susceptibilities, self.even_directions)

    def stiffness(self, susceptibilities: np.ndarray, hessians: np.ndarray) -> np.ndarray:
        r"""Return the least eigenvalue of :math:`1 + V^{1/2} H V^{1/2}`, (n,), where H is given, (n, N, N)."""
        root = np.linalg.cholesky(self.block(susceptibilities))
        return 1.0 + np.linalg.eigvalsh(root.T @ hessians @ root)[:, 0]

    def respond(self, susceptibilities: np.ndarray, used: np.ndarray) -> Response:
        """Return how proximal points answer at some nodes.

        Raises
        ------
        LinAlgError
            If V is not positive definite.
        """
        hessians = self.hessians[used]
        root = np.linalg.cholesky(self.block(susceptibilities))
        values, axes = np.linalg.eigh(root.T @ hessians @ root)
        gains = 1.0 / np.where(values > -1.0, 1.0 + values, np.inf)
        left, right = root @ axes, np.swapaxes(axes, 1, 2) @ np.linalg.inv(root)
        gain = (left * gains[:, None, :]) @ right
        curvature = np.swapaxes(right, 1, 2) * (values * gains)[:, None, :] @ right
        return Response(used, 1.0 + values[:, 0], curvature, gain)

    def response(self, susceptibilities: np.ndarray, rule: np.ndarray | None = None) -> Response | None:
        """Return how proximal points answer at the nodes that a rule's weights use, by default at all.

        None where z = 0 is no minimum for teacher's fields that are met.

        Raises
        ------
        LinAlgError
            If V is not positive definite.
        """
        used = np.arange(len(self.hessians)) if rule is None else np.flatnonzero(rule)
        here, met = self.respond(susceptibilities, used), self._met[used]
        if np.any(here.stiffness[met] <= 0.0):
            return None
        rare = ~met & (here.stiffness < LEAST_CURVATURE)
        here.curvature[rare] = 0.0
        here.gain[rare] = 0.0
        return here

    def susceptibility_average(self, response: Response, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return V^/alpha and its derivatives in V, (entries,) and (entries, entries), on a rule's weights."""
        mean = np.einsum("n,nab->ab", weights[response.used], response.curvature)
        directions = self.even_directions
        values = 0.5 * self.pairing * np.einsum("iab,ab->i", directions, mean)
        return values, -self._self_overlap_derivatives(response, weights)

    def _self_overlap_derivatives(self, response: Response, weights: np.ndarray) -> np.ndarray:
        """Return derivatives of q^/alpha in q, (entries, entries): sums over tokens of K X K."""
        K, X = response.curvature, self.even_directions
        pairs = np.einsum("n,nab,ncd->abcd", weights[response.used], K, K, optimize=True)
        return 0.5 * self.pairing[:, None] * np.einsum("abcd,iad,jbc->ij", pairs, X, X, optimize=True)

    def self_overlap_source(self, response: Response, odd: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return q^/alpha at small m and theta, (odd,), and no q: to second order in them, (entries,)."""
        moved = np.einsum("nia,i->na", self.odd_directions[response.used], odd)
        spread = moved[:, :, None] * moved[:, None, :] - np.einsum("ijab,i,j->ab", self.odd_covariances, odd, odd)
        K = response.curvature
        answered = np.einsum("n,nab,nbc,ncd->ad", weights[response.used], K, spread, K, optimize=True)
        return 0.5 * self.pairing * np.einsum("iab,ab->i", self.even_directions, answered)

    def _odd_derivatives(self, response: Response) -> np.ndarray:
        """Return derivatives of m^/alpha and theta^/alpha in m and theta at the nodes used, (nodes, odd, odd)."""
        K, moves = response.curvature, self.odd_directions[response.used]
        through_mean = np.einsum("nia,nab,njb->nij", moves, K, moves, optimize=True)
        return np.einsum("ijab,nab->nij", self.odd_covariances, K, optimize=True) - through_mean

    def odd_derivatives(self, response: Response, weights: np.ndarray) -> np.ndarray:
        """Return derivatives of m^/alpha and theta^/alpha in m and theta, (odd, odd), on a rule's weights."""
        return np.einsum("n,nij->ij", weights[response.used], self._odd_derivatives(response))

    def quartic_average(self, response: Response, susceptibilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return derivatives of V^/alpha in q, (entries, entries): a quarter of M contracted with two entries of q."""
        entries, X = self.expansion.quartic, self.even_directions
        total = np.zeros((len(X), len(X)))
        used = np.flatnonzero(weights)
        for first in range(0, len(used) if entries or self.expansion.cubic else 0, CHUNK):
            part = used[first : first + CHUNK]
            A = response.gain[part]
            spread = np.einsum("nab,jbc,ndc->njad", A, X, A, optimize=True)
            values = self._of_targets(list(entries.values()), self.node_targets[part]) if entries else ()
            for indices, value in zip(entries, values, strict=True):
                for a, b, c, d in _orders(indices):
                    total += np.einsum(
                        "n,ni,nj->ij", weights[part] * value, spread[:, :, a, b], spread[:, :, c, d], optimize=True
                    )
            if self.expansion.cubic:
                C, G = self.cubic(part), A @ self.block(susceptibilities)
                both = np.einsum("nefp,nief->nip", C, spread, optimize=True)
                crossed = np.einsum("negp,nief,njgh->nijfhp", C, spread, spread, optimize=True)
                total -= np.einsum("n,nip,npq,njq->ij", weights[part], both, G, both, optimize=True)
                total -= 2.0 * np.einsum("n,nijfhp,npq,nfhq->ij", weights[part], crossed, G, C, optimize=True)
        return 0.25 * self.pairing[:, None] * total

    def cubic(self, nodes: np.ndarray) -> np.ndarray:
        """Return the loss's third derivatives at some nodes, (nodes, N, N, N)."""
        entries = self.expansion.cubic
        found = np.zeros((len(nodes), self.size, self.size, self.size))
        values = self._of_targets(list(entries.values()), self.node_targets[nodes])
        for indices, value in zip(entries, values, strict=True):
            for a, b, c in _orders(indices):
                found[:, a, b, c] = value
        return found

    def cubic_averages(self, response: Response, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return derivatives of (m^, theta^)/alpha in q, (odd, entries), and of V^/alpha in (m, theta), (entries, odd).

        They vanish where the loss is even in z.
        """
        odd, even = len(self.space.odd), len(self.even_directions)
        in_q, in_odd = np.zeros((odd, even)), np.zeros((even, odd))
        used = np.flatnonzero(weights)
        for first in range(0, len(used) if self.expansion.cubic else 0, CHUNK):
            part = used[first : first + CHUNK]
            A, moves = response.gain[part], self.odd_directions[part]
            turned = np.einsum("nefg,nea,nfb,ngc->nabc", self.cubic(part), A, A, A, optimize=True)
            total = np.einsum("n,nabc,ibc,nka->ik", weights[part], turned, self.even_directions, moves, optimize=True)
            in_q -= 0.5 * total.T
            in_odd += 0.5 * self.pairing[:, None] * total
        return in_q, in_odd

    def averages(self, response: Response, susceptibilities: np.ndarray) -> ChannelAverages:
        """Return every average that a state evaluation needs, at q = m = theta = 0, from the response at all nodes."""
        space, nodes = self.space, self.nodes
        columns = Columns(space.size, len(space.odd))
        q, V, odd = (list(x) for x in (space.of_kind("self_overlap"), space.of_kind("susceptibility"), space.odd))
        length = space.layout.sequence_length
        # One column per average whose error is known, at every node.
        rows = np.zeros((len(nodes.weights), columns.jacobian))
        rows[:, V] = 0.5 * self.pairing * np.einsum("iab,nab->ni", self.even_directions, response.curvature)
        rows[:, columns.envelope] = rows[:, columns.loss] = self.losses
        # Section 5 of the theory notes: twice the mean loss of a new sample, whose w is zero.
        rows[:, columns.test_error] = 2.0 / length * self.losses
        odd_derivatives = self._odd_derivatives(response)
        rows[:, columns.odd_blocks :] = np.diagonal(odd_derivatives, axis1=1, axis2=2)
        sums = np.einsum("n,nj->j", nodes.weights, rows)
        derivatives = np.zeros((space.size, space.size))
        overlap_derivatives = self._self_overlap_derivatives(response, nodes.weights)
        derivatives[np.ix_(q, q)] = overlap_derivatives
        derivatives[np.ix_(V, V)] = -overlap_derivatives
        derivatives[np.ix_(V, q)] = self.quartic_average(response, susceptibilities, nodes.weights)
        derivatives[np.ix_(odd, q)], derivatives[np.ix_(V, odd)] = self.cubic_averages(response, nodes.weights)
        derivatives[np.ix_(odd, odd)] = np.einsum("n,nij->ij", nodes.weights, odd_derivatives)
        test_slopes = np.zeros(space.size)
        mean_hessian = np.einsum("n,nab->ab", nodes.weights, self.hessians)
        test_slopes[q] = np.einsum("iab,ab->i", self.even_directions, mean_hessian) / length
        differences = np.einsum("kn,nj->kj", nodes.embedded, rows) - sums
        for signs in space.fixing(np.zeros(space.size)):
            # What is odd under a symmetry averages to zero; the nodes need not know the symmetry.
            derivatives[signs[:, None] != signs[None, :]] = 0.0
            sums[: space.size][signs < 0] = 0.0
            differences[:, : space.size][:, signs < 0] = 0.0
            test_slopes[signs < 0] = 0.0
        return ChannelAverages(
            columns=columns,
            conjugates=sums[: space.size],
            envelope=float(sums[columns.envelope]),
            loss=float(sums[columns.loss]),
            test_error=float(sums[columns.test_error]),
            derivatives=derivatives,
            test_error_derivatives=test_slopes,
            odd_blocks=sums[columns.odd_blocks :],
            jumps=0,
            failures=0,
            points=len(nodes.weights),
            differences=differences,
            outer=nodes,
        )


def _orders(indices: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return all distinct orders of some indices."""
    return sorted(set(itertools.permutations(indices)))


@functools.lru_cache(maxsize=16)
def null_channel(model: Model, space: StateSpace) -> NullChannel:
    """Return the channel of a model, the same one for the same model: nodes and targets are then computed once."""
    return NullChannel(model, space)
