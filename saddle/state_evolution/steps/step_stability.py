r"""Local stability of k steps against one more: an infinitesimal gap that is split off a level grows or decays.

A gap :math:`\delta_g` between levels j and j + 1 makes, whatever its y is,

.. math::
    \hat\delta_g = \alpha\sum_{l\in g}\sum_m E\langle(\partial_l\partial_m F_{j+1})^2\rangle_j\,\delta_{g(m)}, \qquad
    \delta_g = E_\nu\sum_h\gamma_g\gamma_h K_{j+1}^2\,\hat\delta_h, \qquad K_j = B_j^{-1},

averaged over the field of level j, tilted by the steps outside of it; one minus the largest eigenvalue of the product
is the replicon eigenvalue of level j. At j = k, F is minus the envelope, and :math:`B_{k+1}` the precision of replica
symmetry: with k = 0 this is section 9 of the theory notes. The outermost level is that of minima of different blocks,
the innermost that of minima of one block. Where proximal points jump, the innermost form has the square of a delta
function. Forms are averaged on grids of local fields, also those of solutions on lines, as far as grids resolve a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from replica.common.by_value import ByValue
from replica.model.attention_model import AttentionModel
from replica.model.spectrum import Spectrum
from saddle.averages.nested_averages import curvature_forms
from saddle.averages.replicon import Replicon
from saddle.averages.replicon_map import largest_eigenvalue, weights_map
from saddle.state_evolution.steps.excess_on_grids import FieldGrid, nested_arguments, points_for, tabulated_for
from saddle.state_evolution.steps.field_curvature import field_curvature
from saddle.state_evolution.steps.grid_rule import DEFAULT_GRID_RULE, GridRule
from saddle.state_evolution.steps.step_equations import StepEquations, StepEvaluation

__all__ = ["StepStability", "solution_stability", "step_stability"]

# Points of the solution's grids above which the stability of one on lines is left unknown.
MOST_ON_LINES = 2_700_000


@dataclass(frozen=True, repr=False)
class StepStability(ByValue):
    r"""Whether k steps are stable against one more, level by level.

    Attributes
    ----------
    replicons
        Of levels 0 ... k: whether a gap that is split off the overlap :math:`q_j` decays. The first is that between
        minima of different blocks, the last that within the innermost block. Positive is stable, as for replica
        symmetry; only the innermost can have jumps. Empty where they are not known.
    unknown
        In words why they are not known; empty where they are.

    Notes
    -----
    Errors are changes to other nodes and to finer, wider grids, and along solutions of other y as far as that is
    uncertain, added up. Where proximal points jump, the innermost eigenvalue is :math:`-C/T` at a small temperature T,
    C being the jump strength, and minus infinity at none.
    """

    replicons: tuple[Replicon, ...]
    unknown: str = ""

    @property
    def eigenvalues(self) -> np.ndarray:
        """Replicon eigenvalues at zero temperature, outermost level first; -inf where jumps make it so.

        (k + 1,), or none where they are not known.
        """
        return np.array([-np.inf if one.jumping else one.regular for one in self.replicons])

    @property
    def errors(self) -> np.ndarray:
        """Errors of :attr:`eigenvalues`, (k + 1,): zero of those that are -inf."""
        return np.array([0.0 if one.jumping else one.regular_error for one in self.replicons])

    @property
    def stable_levels(self) -> tuple[bool | None, ...]:
        """Whether each level is stable, outermost first; None where its eigenvalue is zero within its error.

        k + 1 answers, or none where eigenvalues are not known.
        """
        return tuple(one.stable for one in self.replicons)

    @property
    def stable(self) -> bool | None:
        """Whether no level splits. False if one does; None if none is known to, and some are not known not to."""
        levels = self.stable_levels
        if False in levels:
            return False
        return None if self.unknown or None in levels else True

    @property
    def reasons(self) -> tuple[str, ...]:
        """In words what each level's eigenvalue is, and why, outermost level first; or why that is not known."""
        if self.unknown:
            return (f"stability not known: {self.unknown}",)
        return tuple(self._said(level, one) for level, one in enumerate(self.replicons))

    def _said(self, level: int, one: Replicon) -> str:
        last = len(self.replicons) - 1
        where = "between blocks" if level == 0 else "within blocks" if level == last else f"of level {level}"
        if one.jumping:
            return (
                f"{where} unstable: proximal points jump, so that the replicon eigenvalue is -infinity, "
                f"and -C/T at a small temperature T with C = {one.jump_strength:.3g} +- {one.jump_strength_error:.1g}"
            )
        verdict = {True: "stable", False: "unstable", None: "not known to be stable or not"}[one.stable]
        return f"{where} {verdict}: replicon eigenvalue {one.regular:.3g} +- {one.regular_error:.1g}"

    def __repr__(self) -> str:
        return f"StepStability({'; '.join(self.reasons)})"


def solution_stability(
    equations: StepEquations, here: StepEvaluation, moved: Sequence[StepEvaluation] | None
) -> StepStability:
    """Return the replicon of every level of a solution, with errors; unknown where no grid resolves its gap.

    Parameters
    ----------
    moved
        What the solution may be as well, by the errors of y, each on grids of its own; None if y is not known to
        anything near itself.
    """
    law, table, state = equations.law, equations.table, here.state
    if moved is None:
        return StepStability((), "y, which replicons depend on, is known to a factor only")
    base = equations.rule if isinstance(equations.rule, GridRule) else DEFAULT_GRID_RULE
    if equations.on_lines and points_for(law, base, state) > MOST_ON_LINES:
        share = float(np.min(state.gaps / equations.outer_variance(state)))
        return StepStability(
            (), f"a gap of {share:.2g} of the fields' variance takes grids of more than {MOST_ON_LINES} points"
        )
    if equations.on_lines:
        # Grids serve stability alone: fewer nodes say what nodes change, and on those a finer grid what grids do, in
        # half the time of finer ones.
        fewer = base.with_fewer_nodes()
        rules, against = (base, fewer, fewer.with_finer_grid()), (0, 1)
    else:
        rules, against = (base, base.with_finer_nodes(), base.with_finer_grid()), (0, 0)
    grids = [here.grid or tabulated_for(law, table, base, state)]
    grids += [tabulated_for(law, table, rule, state) for rule in rules[1:]]
    pairs = [(here, grid) for grid in grids]
    pairs += [(one, one.grid or tabulated_for(law, table, base, one.state)) for one in moved]
    return step_stability(equations, pairs, (*against, *(0 for _ in moved)))


def step_stability(
    equations: StepEquations, pairs: Sequence[tuple[StepEvaluation, FieldGrid]], against: Sequence[int] = ()
) -> StepStability:
    """Return the replicon of every level of a solution.

    Parameters
    ----------
    pairs
        The solution with its grids first, then others: what these change are errors.
    against
        Places among the pairs of what each of the others is compared with; none where there are no others.
    """
    found = [_eigenvalues(equations, *pair) for pair in pairs]
    regular, jumps = (np.array([x[i] for x in found]) for i in (0, 1))
    errors, jumps_error = (np.sum(np.abs(x[1:] - x[list(against)]), axis=0) for x in (regular, jumps))
    count, last = found[0][2:], len(regular[0]) - 1
    return StepStability(
        tuple(
            Replicon(
                regular=float(value),
                regular_error=float(errors[level]),
                jump_strength=float(jumps[0]) if level == last else 0.0,
                jump_strength_error=float(jumps_error) if level == last else 0.0,
                jumps=count[0] if level == last else 0,
                failures=count[1] if level == last else 0,
            )
            for level, value in enumerate(regular[0])
        )
    )


def _eigenvalues(
    equations: StepEquations, evaluation: StepEvaluation, grid: FieldGrid
) -> tuple[np.ndarray, float, int, int]:
    """Return eigenvalues of every level, jumps left out, (k + 1,), and the innermost level's jumps.

    These are their strength C, their number, and that of failures.
    """
    state, alpha = evaluation.state, evaluation.alpha
    layout = equations.evolution.space.layout
    forms, law = curvature_forms(*nested_arguments(equations.law, state, grid))
    innermost = field_curvature(equations.table, grid, law)
    member = np.zeros((layout.group_count, layout.sequence_length))
    member[list(layout.groups), np.arange(layout.sequence_length)] = 1.0

    def largest(form: np.ndarray, level: int) -> float:
        """Return the largest eigenvalue that a level's form makes with the weights' answer."""
        own = (member @ form @ member.T)[np.triu_indices(layout.group_count)]
        return alpha * largest_eigenvalue(weights_map(*_responses(equations, evaluation, level)), own)[0]

    values = [1.0 - largest(form, level) for level, form in enumerate((*forms, innermost.regular))]
    return np.array(values), largest(innermost.kinks, equations.steps), innermost.jumps, innermost.failures


def _responses(equations: StepEquations, evaluation: StepEvaluation, level: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Return :math:`\gamma_g K_{j+1}` on every atom, (atoms, groups, 1, 1), and the atoms' weights."""
    model, state = equations.evolution.model, evaluation.state
    conjugates = evaluation.space.state(evaluation.conjugates, state.parisi)
    if isinstance(model.spectrum, Spectrum):
        eigenvalues, shares = model.spectrum.group_eigenvalues(), model.spectrum.weights
    else:
        # Models of other kinds always have a spectrum.
        assert isinstance(model, AttentionModel)
        eigenvalues, shares = np.full((1, 1), model.token_variance), np.ones(1)
    precision = model.regularization + eigenvalues @ conjugates.susceptibility
    for j in range(equations.steps, level, -1):
        precision = precision - state.parisi[j - 1] * eigenvalues @ conjugates.gaps[j - 1]
    return (eigenvalues / precision[:, None])[:, :, None, None], shares
