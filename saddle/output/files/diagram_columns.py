"""The variables of a phase diagram's file: one table of names, dimensions, meanings and normalisations."""

from __future__ import annotations

from replica.quantities.layout import Layout
from replica.quantities.names import Quantity, conjugates, order_parameters
from replica.symmetry.families import families_of
from saddle.branches.branch_numbers import BRANCH_NUMBERS
from saddle.branches.null.solution import NULL_FAMILY
from saddle.continuation.outcomes import Outcome
from saddle.output.files.file_schema import Column

__all__ = [
    "ALPHA_COLUMN", "BRANCH_COLUMNS", "FREE", "LABELS", "MERGED_FLAG", "MERGED_WITH",
    "NUMBER_COLUMNS", "OUTCOME_CODE", "REPLICA_STABLE", "STABLE", "YES_OR_NO", "family_column", "known_families",
    "quantity_columns",
]  # fmt: skip

ON_GRID = ("branch", "alpha")
MERGED = "where outcome is MERGED: the value of the family of higher symmetry into which the branch has merged"
FREE = "free"
ON_BRANCHES = (
    Outcome.CONVERGED, Outcome.MERGED, Outcome.ABSENT, Outcome.FOLDED, Outcome.LOST, Outcome.INTERRUPTED,
)  # fmt: skip

ALPHA_COLUMN = Column("alpha", ("alpha",), "sample complexity", "number of samples n over dimension d", r"\alpha",
                      values="finite")  # fmt: skip

LABELS = (
    Column("branch", ("branch",), "branch of solutions", kind="text"),
    Column("order_parameter", ("order_parameter",), "order parameter", kind="text"),
    Column("block", ("block",), "block of dF/du: the sector's own unknowns, or those of an overlap", kind="text"),
)


def _ancillary(name: str) -> tuple[str, ...]:
    return (f"{name}_error", "merged") if any(x.name == f"{name}_error" for x in BRANCH_NUMBERS) else ("merged",)


NUMBER_COLUMNS = tuple(
    Column(x.name, ON_GRID, x.meaning, x.normalisation, values=x.values, comment=MERGED, ancillary=_ancillary(x.name))
    for x in BRANCH_NUMBERS
)
"""Fields of a branch that hold one number per point of the grid, under the same name."""

YES_OR_NO = ((0, "no"), (1, "yes"))
SIGNS = ((-1, "negative"), (0, "none"), (1, "positive"))

STABLE = Column("stable", ON_GRID, "whether damped state evolution is stable", kind="integer",
                comment=f"no where nothing is stored; {MERGED}", flags=YES_OR_NO)  # fmt: skip
REPLICA_STABLE = Column("replica_stable", ON_GRID, "whether replica symmetry is locally stable", kind="integer",
                        comment=f"no where nothing is stored; {MERGED}", flags=YES_OR_NO)  # fmt: skip

BRANCH_COLUMNS = (
    REPLICA_STABLE,
    STABLE,
    Column("outcome", ON_GRID, "what became of the branch at this alpha", kind="text",
           comment="; ".join(f"{one.name}: {one.value}" for one in ON_BRANCHES)),
    Column("eigenvalue_real", (*ON_GRID, "eigenvalue"), "eigenvalues of dF/du, real part",
           values="stored", comment=MERGED),
    Column("eigenvalue_imag", (*ON_GRID, "eigenvalue"), "eigenvalues of dF/du, imaginary part",
           values="there", comment=MERGED),
    Column("jacobian_diagonal", (*ON_GRID, "order_parameter"), "diagonal of dF/du",
           "in the unknowns' units", values="stored", comment=MERGED),
    Column("jacobian_signs", (*ON_GRID, "block"), "signs of the determinants of the blocks of dF/du, 0 where none",
           kind="integer", comment=MERGED, flags=SIGNS),
    Column("sector", ("branch",), "invariant subspace that the branch lives in", kind="text"),
    Column(FREE, ("branch", "order_parameter"), "whether the branch's sector leaves an order parameter free",
           kind="integer", since=5, comment="those that it does not are zero, or fixed by others", flags=YES_OR_NO),
)  # fmt: skip
"""Everything else that is stored of branches."""

OUTCOME_CODE = Column("outcome_code", ON_GRID, "outcome, as a number", kind="integer",
                      comment="values are stored where it is CONVERGED or MERGED",
                      flags=tuple((k, one.name) for k, one in enumerate(Outcome)))  # fmt: skip
MERGED_FLAG = Column("merged", ON_GRID, "whether the values are those of another branch", kind="integer",
                     comment="yes where outcome is MERGED", flags=YES_OR_NO)  # fmt: skip
MERGED_WITH = Column("merged_with", ON_GRID, "branch whose values these are, where it is another one", kind="text",
                     comment="where outcome is MERGED, empty elsewhere; 'unknown' if it is not here")  # fmt: skip


def known_families(layout: Layout) -> tuple[str, ...]:
    """Return the first words of the names of branches that models of a layout may have."""
    return NULL_FAMILY, *families_of(layout)


def family_column(layout: Layout) -> Column:
    """Return the column of branches' families, whose flags are those of the layout."""
    flags = tuple(enumerate(known_families(layout)))
    return Column(
        "family", ("branch",), "family of the branch: what its solutions overlap with", kind="integer", flags=flags
    )


def quantity_columns(layout: Layout) -> list[tuple[Column, Column, Column]]:
    """Return, for every order parameter, its column and those of its error and of its conjugate."""
    own = order_parameters(layout)

    def column(quantity: Quantity, normalisation: str, values: str = "stored", suffix: str = "") -> Column:
        meaning = f"error of {quantity.name}" if suffix else quantity.meaning
        symbol = "" if suffix else quantity.latex
        name = quantity.name + suffix
        more = ("merged",) if suffix or quantity not in own else (f"{name}_error", "merged")
        return Column(name, ON_GRID, meaning, normalisation, symbol, values=values, comment=MERGED, ancillary=more)

    return [
        (
            column(quantity, "as its meaning says, for weights Q of order one"),
            column(quantity, "as the order parameter", "error", "_error"),
            column(conjugate, "summed over a group's tokens"),
        )
        for quantity, conjugate in zip(own, conjugates(layout), strict=True)
    ]
