r"""Families of solutions: the subspaces of order parameters that a group of sign symmetries fixes.

A subgroup of the model's sign symmetries leaves exactly those order parameters alone that none of its elements
reverses; where all others vanish, the saddle-point equations of these others are satisfied identically, and what
remains is a smaller system.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage
from replica.algebra.spectrum_average import SpectrumAverage, spectrum_average
from replica.equations.saddle_system import SaddleSystem
from replica.symmetry.sectors import closed_under_unions, family_of
from replica.symmetry.symmetries import Symmetry, SymmetryGroup

__all__ = ["InvariantSubspace", "find_subspaces", "reduced_system", "vanishing_is_consistent"]


@dataclass(frozen=True)
class InvariantSubspace:
    """A family of solutions.

    Attributes
    ----------
    name
        "agnostic" (no overlap with encodings or teacher), "positional", "semantic" or "mixed"; with a number if
        several subspaces share a name.
    vanishing
        Symbols of the order parameters that vanish.
    kept
        Products of generators that fix the subspace, as tuples of generators' names.
    """

    name: str
    vanishing: frozenset[sp.Symbol]
    kept: tuple[tuple[str, ...], ...]


Element = tuple[tuple[str, ...], dict[sp.Symbol, int]]


def _elements(system: SaddleSystem, group: SymmetryGroup) -> list[Element]:
    """Return every product of sign generators, without the identity: names and signs.

    Where the student's columns can be rotated into each other, only their common reversal counts: what reverses some of
    them is a member of a continuous family that rotates those overlaps away, not a family of solutions.
    """
    # What acts trivially fixes no subspace.
    generators = [x for x in group.sign_generators if min(x.signs.values()) < 0]
    elements: list[Element] = [((), {})]
    if group.rotations:
        columns = [x for x in generators if x.name.startswith("reversal of the student")]
        generators = [x for x in generators if x not in columns]
        even = ("self_overlap", "susceptibility")
        common = {x.symbol: 1 if x.kind in even else -1 for x in system.order_parameters}
        elements += [x for x in _products(elements, columns) if x[1] == common][:1]
    return [x for x in _products(elements, generators) if any(sign < 0 for sign in x[1].values())]


def _products(elements: list[Element], generators: list[Symmetry]) -> list[Element]:
    for generator in generators:
        elements = elements + [
            ((*names, generator.name), {x: sign * signs.get(x, 1) for x, sign in generator.signs.items()})
            for names, signs in elements
        ]
    return elements


def find_subspaces(system: SaddleSystem, group: SymmetryGroup) -> tuple[InvariantSubspace, ...]:
    """Return the invariant subspaces of a group's sign symmetries, the smallest first."""
    elements = _elements(system, group)
    reversed_by = {names: frozenset(x for x, sign in signs.items() if sign < 0) for names, signs in elements}
    # A subspace fixed by several elements is the intersection of theirs.
    spaces = closed_under_unions(reversed_by.values())
    kinds = {x.symbol: x.kind for x in system.order_parameters}
    ordered = sorted(spaces, key=lambda space: (-len(space), sorted(map(str, space))))
    names = [family_of({kind for x, kind in kinds.items() if x not in space}) for space in ordered]
    return tuple(
        InvariantSubspace(
            name if names.count(name) == 1 else f"{name} {names[: k + 1].count(name)}",
            space,
            tuple(element for element, reverses in reversed_by.items() if reverses <= space),
        )
        for k, (space, name) in enumerate(zip(ordered, names, strict=True))
    )


def _conjugates_of(system: SaddleSystem, vanishing: frozenset[sp.Symbol]) -> set[sp.Symbol]:
    """Return the conjugates that pair with vanishing order parameters or stand at the same place: they vanish too."""
    places = {(x.kind, x.group, x.indices) for x in system.order_parameters if x.symbol in vanishing}
    return {x.symbol for x in system.conjugates if (x.kind.removesuffix("_conjugate"), x.group, x.indices) in places}


def reduced_system(
    system: SaddleSystem, vanishing: frozenset[sp.Symbol]
) -> tuple[dict[sp.Symbol, sp.Expr], dict[sp.Symbol, sp.Expr]]:
    """Return the overlap and conjugate equations of what does not vanish where some order parameters do."""
    hats = _conjugates_of(system, vanishing)
    zeros = dict.fromkeys((*vanishing, *hats), sp.S.Zero)
    overlaps = {x: _at_zeros(value, zeros) for x, value in system.overlap_equations.items() if x not in vanishing}
    conjugates = {x: _at_zeros(value, zeros) for x, value in system.conjugate_equations.items() if x not in hats}
    return overlaps, conjugates


def _at_zeros(expression: sp.Expr, zeros: dict[sp.Symbol, sp.Expr]) -> sp.Expr:
    substituted = expression.xreplace(zeros)
    rules = {}
    for average in substituted.atoms(GaussianAverage):
        integrand = sp.Add(*(sp.factor_terms(x) for x in sp.Add.make_args(average.integrand)))
        rules[average] = GaussianAverage(integrand, average.law)
    rules |= {
        x: spectrum_average(sp.factor_terms(x.integrand), x.atom_symbols) for x in substituted.atoms(SpectrumAverage)
    }
    return substituted.xreplace(rules) if rules else sp.factor_terms(substituted)


def vanishing_is_consistent(
    system: SaddleSystem,
    subspace: InvariantSubspace,
    generators: Sequence[Symmetry],
    values: Mapping[sp.Symbol, sp.Expr] | None = None,
) -> bool:
    """Return whether the equations of what vanishes hold identically in a subspace.

    Overlaps: their right sides vanish with the conjugates. Conjugates: each integrand is odd under one of the kept
    transformations of the fields, under which their law is even, so that its average vanishes. Renamings of tokens are
    symmetries at the encodings' values only, which are therefore to be given, exactly, where there are renamings.
    """
    hats = _conjugates_of(system, subspace.vanishing)
    zeros = dict.fromkeys((*subspace.vanishing, *hats), sp.S.Zero)
    by_name, known = {x.name: x for x in generators}, dict(values or {})
    # Entries of inverses that couple what vanishes to what does not: written out, they vanish.
    for x in subspace.vanishing:
        value = system.written_out(system.overlap_equations[x]).xreplace(zeros).xreplace(known)
        if sp.simplify(value.integrand if isinstance(value, SpectrumAverage) else value) != 0:
            return False
    for hat in hats:
        integrand = system.written_out(system.conjugate_integrand(hat)).xreplace(zeros).xreplace(known)
        odd = False
        for names in subspace.kept:
            transformed = integrand
            for name in names:
                transformed = transformed.subs(by_name[name].fields, simultaneous=True)
            odd = odd or sp.simplify(transformed + integrand) == 0
        if not odd:
            return False
    return True
