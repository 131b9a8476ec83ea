"""The variables of a phase diagram's file: one table of names, dimensions, meanings and normalisations."""

from __future__ import annotations

from replica.quantities.layout import Layout
from replica.quantities.names import Quantity, conjugates, order_parameters
from saddle.output.files.file_schema import Column

__all__ = ["ALPHA_COLUMN", "BRANCH_COLUMNS", "BRANCH_NUMBERS", "FREE", "LABELS", "quantity_columns"]

ON_GRID = ("branch", "alpha")
MERGED = "where outcome is MERGED: the value of the family of higher symmetry into which the branch has merged"
FREE = "free"

ALPHA_COLUMN = Column("alpha", ("alpha",), "sample complexity", "number of samples n over dimension d", r"\alpha")

LABELS = (
    Column("branch", ("branch",), "branch of solutions", kind="text"),
    Column("order_parameter", ("order_parameter",), "order parameter", kind="text"),
    Column("block", ("block",), "block of dF/du: the sector's own unknowns, or those of an overlap", kind="text"),
)


def _grid(name: str, long_name: str, normalisation: str = "", values: str = "stored") -> Column:
    return Column(name, ON_GRID, long_name, normalisation, values=values, comment=MERGED)


BRANCH_NUMBERS = (
    _grid("free_entropy", "free entropy Phi, minus the training loss", "per dimension d"),
    _grid("free_entropy_error", "error of the free entropy", "per dimension d", "error"),
    _grid("train_loss", "training loss, by a route of its own", "per dimension d"),
    _grid("test_error", "test error", "per token and dimension, (1/(dL)) E|y - yhat|^2"),
    _grid("test_error_error", "error of the test error", "as the test error", "error"),
    _grid("average_envelope", "average E[M] of the Moreau envelope, -dPhi/dalpha", "per sample"),
    _grid("residual_norm", "largest residual of the saddle-point equations", "in the unknowns' natural units", "error"),
    _grid("replicon_regular", "regular part of the replicon eigenvalue", values="known"),
    _grid("replicon_regular_error", "error of the regular part of the replicon eigenvalue", values="error"),
    _grid("jump_strength", "strength C of the proximal point's jumps, -C/T in the replicon eigenvalue", values="known"),
    _grid("jump_strength_error", "error of the strength of jumps", values="error"),
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
