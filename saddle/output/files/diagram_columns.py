"""The variables of a phase diagram's file: one table of names, dimensions, meanings and normalisations."""

from __future__ import annotations

from replica.quantities.layout import Layout
from replica.quantities.names import Quantity, conjugates, order_parameters
from saddle.branches.branch_numbers import BRANCH_NUMBERS
from saddle.output.files.file_schema import Column

__all__ = ["ALPHA_COLUMN", "BRANCH_COLUMNS", "FREE", "LABELS", "NUMBER_COLUMNS", "quantity_columns"]

ON_GRID = ("branch", "alpha")
MERGED = "where outcome is MERGED: the value of the family of higher symmetry into which the branch has merged"
FREE = "free"

ALPHA_COLUMN = Column("alpha", ("alpha",), "sample complexity", "number of samples n over dimension d", r"\alpha")

LABELS = (
    Column("branch", ("branch",), "branch of solutions", kind="text"),
    Column("order_parameter", ("order_parameter",), "order parameter", kind="text"),
    Column("block", ("block",), "block of dF/du: the sector's own unknowns, or those of an overlap", kind="text"),
)


NUMBER_COLUMNS = tuple(
    Column(x.name, ON_GRID, x.meaning, x.normalisation, values=x.values, comment=MERGED) for x in BRANCH_NUMBERS
)
"""Fields of a branch that hold one number per point of the grid, under the same name."""

BRANCH_COLUMNS = (
    Column("replica_stable", ON_GRID, "whether replica symmetry is locally stable", kind="integer", comment=MERGED),
    Column("stable", ON_GRID, "whether damped state evolution is stable", kind="integer", comment=MERGED),
    Column("outcome", ON_GRID, "what became of the branch at this alpha", kind="text"),
    Column("eigenvalue_real", (*ON_GRID, "eigenvalue"), "eigenvalues of dF/du, real part",
           values="stored", comment=MERGED),
    Column("eigenvalue_imag", (*ON_GRID, "eigenvalue"), "eigenvalues of dF/du, imaginary part",
           values="there", comment=MERGED),
    Column("jacobian_diagonal", (*ON_GRID, "order_parameter"), "diagonal of dF/du",
           "in the unknowns' units", values="stored", comment=MERGED),
    Column("jacobian_signs", (*ON_GRID, "block"), "signs of the determinants of the blocks of dF/du, 0 where none",
           kind="integer", comment=MERGED),
    Column("sector", ("branch",), "invariant subspace that the branch lives in", kind="text"),
    Column(FREE, ("branch", "order_parameter"), "whether the branch's sector leaves an order parameter free",
           kind="integer", since=5),
)  # fmt: skip
"""Everything else that is stored of branches."""


def quantity_columns(layout: Layout) -> list[tuple[Column, Column, Column]]:
    """Return, for every order parameter, its column and those of its error and of its conjugate."""

    def column(quantity: Quantity, normalisation: str, values: str = "stored", suffix: str = "") -> Column:
        meaning = f"error of {quantity.name}" if suffix else quantity.meaning
        symbol = "" if suffix else quantity.latex
        name = quantity.name + suffix
        return Column(name, ON_GRID, meaning, normalisation, symbol, values=values, comment=MERGED)

    return [
        (
            column(quantity, "as its meaning says, for weights Q of order one"),
            column(quantity, "as the order parameter", "error", "_error"),
            column(conjugate, "summed over a group's tokens"),
        )
        for quantity, conjugate in zip(order_parameters(layout), conjugates(layout), strict=True)
    ]
