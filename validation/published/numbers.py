"""The numbers that arXiv:2402.03902 and its authors' public repository give for this model, in our normalisation.

Source of all: H. Cui, F. Behrens, F. Krzakala and L. Zdeborova, arXiv:2402.03902 (NeurIPS 2024), and
SPOC-group/positional-and-semantic-attention on GitHub, commit 0b867faf505ddf358f44c076367018fbfdf88af7. The numbers
stand as published in ``validation.published_data``; here they are converted. Test errors become per token, training
losses per dimension, overlaps as in the theory notes, section 2 (theta with sigma^2).
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from replica import AttentionModel
from replica.common.checked_arguments import checked_instance, checked_number, quoted
from replica.common.errors import InvalidArgument
from validation.published.data import descent_main, descent_other, descent_slices, theory_curves

__all__ = [
    "DESCENT_MODELS",
    "SECOND_MATRIX",
    "THEORY_MODELS",
    "published_gradient_descent",
    "published_linear_baseline",
    "published_rank_two",
    "published_scaling",
    "published_theory",
    "published_transitions",
]

SECOND_MATRIX = ((0.3, 0.7), (0.8, 0.2))
"""The paper's second positional matrix A."""

# NOTE: the file of FIRST_15 is named for the second matrix. Its numbers are those of the first one: at alpha = 0.73
# its semantic q is 0.6 per cent above ours with the first matrix and two thirds above ours with the second.
_THEORY = {
    AttentionModel.paper(omega=0.3): "FIRST_30",
    AttentionModel.paper(omega=0.15): "FIRST_15",
    AttentionModel.paper(omega=0.5): "FIRST_50",
    AttentionModel.paper(omega=0.14, positional_matrix=SECOND_MATRIX): "SECOND_14",
}

_DESCENT = {
    AttentionModel.paper(omega=0.3): (descent_main, "OMEGA_30"),
    AttentionModel.paper(omega=0.2): (descent_main, "OMEGA_20"),
    AttentionModel.paper(omega=0.3, sigma=0.3): (descent_slices, "SIGMA_30"),
    AttentionModel.paper(omega=0.3, sigma=0.7): (descent_slices, "SIGMA_70"),
    AttentionModel.paper(omega=0.3, sigma=1.0): (descent_slices, "SIGMA_100"),
    AttentionModel.paper(omega=0.3, regularization=0.001): (descent_slices, "LAMBDA_1"),
    AttentionModel.paper(omega=0.3, regularization=0.1): (descent_slices, "LAMBDA_100"),
    AttentionModel.paper(omega=0.14, positional_matrix=SECOND_MATRIX): (descent_other, "SECOND_14"),
    AttentionModel.paper(omega=0.3, positional_matrix=SECOND_MATRIX): (descent_other, "SECOND_30"),
}

THEORY_MODELS = tuple(_THEORY)
"""Models for which theory curves are published and entered here."""

DESCENT_MODELS = tuple(_DESCENT)
"""Models for which means over runs of gradient descent are published and entered here."""

# Plotted values, as (omega, alpha).
_ALPHA_C = (
    (0.0, 0.5480511155), (0.1, 0.7071599113), (0.15, 0.8180015676), (0.2, 0.9277860823), (0.25, 1.06),
    (0.3, 1.2410177405), (0.35, 1.4541109691), (0.4, 1.7505718609), (0.425, 1.9392972342),
)  # fmt: skip
_ALPHA_L = (
    (0.0, 0.7224524901), (0.05, 0.7652803697), (0.075, 0.8076328325), (0.1, 0.8505675446), (0.15, 0.941534866),
    (0.2, 1.0714067387), (0.25, 1.2254411566), (0.275, 1.3270521901), (0.3, 1.4505799370), (0.325, 1.5843728192),
    (0.35, 1.7495295265), (0.38, 1.9932320282),
)  # fmt: skip

RUNS = 24
"""Runs behind every mean at d = 1000, as the authors' notebook ``convert_data`` asserts when it takes the means."""

MEASURED = ("test_error", "train_loss", "positional_overlap", "semantic_overlap")
"""Measured quantities, in the order of the tables' columns."""


def published_transitions() -> xr.Dataset:
    """Return the plotted alpha_c and alpha_l against omega; nan where one of the two was not plotted.

    Returns
    -------
    xarray.Dataset
        ``alpha_c`` and ``alpha_l`` over ``omega``, for sigma = 0.5, lambda = 0.01 and the first matrix.
    """
    omega = sorted({omega for omega, _ in (*_ALPHA_C, *_ALPHA_L)})
    lines = {name: [dict(line).get(w, np.nan) for w in omega] for name, line in _LINES.items()}
    return xr.Dataset(
        {name: ("omega", values) for name, values in lines.items()}, {"omega": omega}, attrs=_attributes()
    )


_LINES = {"alpha_c": _ALPHA_C, "alpha_l": _ALPHA_L}


def published_theory(model: AttentionModel, branch: str) -> xr.Dataset:
    """Return a published theory curve.

    Parameters
    ----------
    model
        One of ``THEORY_MODELS``.
    branch
        ``"positional"``, ``"semantic"`` or, at omega = 0.3, ``"agnostic"``.

    Returns
    -------
    xarray.Dataset
        Order parameters, ``free_entropy`` and ``test_error`` per token over increasing ``alpha``. ``free_entropy``
        is nan at omega = 0.5, where the published column holds something else.

    Raises
    ------
    ValueError
        If no such curve was published.
    """
    AttentionModel.require_any(model, "published theory")
    checked_instance("branch", branch, str, "the name of a branch")
    name = f"{_THEORY.get(model, '?')}_{branch.upper()}"
    if not hasattr(theory_curves, name):
        raise InvalidArgument(
            f"theory is published for {THEORY_MODELS!r} on two or three branches; got branch {branch!r}, model "
            f"{model!r}"
        )
    alpha, q, m, v, theta, mse, phi = _table(getattr(theory_curves, name)).T
    # At omega = 0.5 the column grows like 0.13 alpha on both branches, as if the loss lacked the teacher's own term.
    columns = {
        "self_overlap": q,
        "positional_overlap": np.abs(m),
        "susceptibility": v,
        "semantic_overlap": theta,
        "free_entropy": np.full_like(phi, np.nan) if model.omega == 0.5 else phi,
        "test_error": mse / model.sequence_length,
    }
    return xr.Dataset({key: ("alpha", x) for key, x in columns.items()}, {"alpha": alpha}, attrs=_attributes())


def published_gradient_descent(model: AttentionModel, start: str) -> xr.Dataset:
    """Return published means over runs of gradient descent at d = 1000, with their standard errors.

    Parameters
    ----------
    model
        One of ``DESCENT_MODELS``.
    start
        ``"positional"`` (Q = 1/sqrt(d)) or ``"semantic"`` (Q = Q*), as in ``validation.initial_student``.

    Returns
    -------
    xarray.Dataset
        Each of ``MEASURED`` over ``alpha``, and its standard error as ``<name>_standard_error``: the published
        standard deviation over runs divided by the root of ``runs``. ``samples`` is n = round(alpha d), so that
        theory is to be taken at ``samples / 1000``. The overlaps are means of magnitudes: where an overlap vanishes
        in theory its mean is sqrt(2/pi) times the size of its fluctuations. Teachers are Gaussian, not normalised.

    Raises
    ------
    ValueError
        If no such experiment was published.
    """
    AttentionModel.require_any(model, "published gradient descent")
    if model not in _DESCENT or not isinstance(start, str) or start not in ("positional", "semantic"):
        raise InvalidArgument(
            f"gradient descent is published for {DESCENT_MODELS!r}; got start {quoted(start)}, {model!r}"
        )
    module, name = _DESCENT[model]
    table = _table(getattr(module, f"{name}_{start.upper()}"))
    data = _measured(table, "alpha", model.token_variance, np.full(len(table), 1000), np.full(len(table), RUNS))
    return data.assign(samples=("alpha", np.round(1000 * data["alpha"].values).astype(int)))


def published_scaling(start: str) -> xr.Dataset:
    """Return published means over runs against d, at alpha = 1.5, omega = 0.3, for two starts.

    As :func:`published_gradient_descent`, over ``dimension``; 80 runs each (79 at d = 500).

    Raises
    ------
    ValueError
        If the start is another one.
    """
    if start not in ("positional", "semantic"):
        raise InvalidArgument(f"start must be 'positional' or 'semantic', got {start!r}")
    table = _table(getattr(descent_other, f"SCALING_{start.upper()}"))
    dimension = table[:, 0].astype(int)
    data = _measured(table, "dimension", 0.25, dimension, np.where(dimension == 500, 79, 80))
    return data.assign(samples=("dimension", np.round(1.5 * dimension).astype(int)))


def published_linear_baseline() -> xr.Dataset:
    """Return means over runs of the linear baseline's test error per token at omega = 0.3, two sets of 24 runs."""
    alpha, *columns = _table(descent_main.LINEAR_30).T
    means, deviations = np.array(columns[:2]), np.array(columns[2:])
    return xr.Dataset(
        {
            "test_error": (("set", "alpha"), means),
            "test_error_standard_error": (("set", "alpha"), deviations / np.sqrt(RUNS)),
        },
        {"alpha": alpha},
        attrs=_attributes(),
    )


def published_rank_two(omega: float = 0.02) -> xr.Dataset:
    """Return means over 10 runs of gradient descent with a student of rank 2, d = 1000.

    Learning rate 0.15, 5000 steps, Gaussian teachers; published are 27 values of omega, of which two are entered.
    Standard errors are standard deviations over the square root of ten: where runs end at two values, with none
    between, they say little.
    ``positional_overlap`` and ``semantic_overlap`` have a dimension ``column``: the larger and the smaller magnitude
    among the two columns of Q, chosen for each overlap by itself. Starts are random, of size 0.1 per entry.

    Parameters
    ----------
    omega
        0.02 or 0.3.

    Raises
    ------
    ValueError
        If omega is another one.
    """
    tables = {0.02: descent_other.RANK_2_02, 0.3: descent_other.RANK_2_30}
    omega = checked_number("omega", omega)
    if omega not in tables:
        raise InvalidArgument(f"omega must be 0.02 or 0.3, got {omega!r}")
    alpha, *columns = _table(tables[omega]).T
    means, errors = np.array(columns[:6]), np.array(columns[6:]) / np.sqrt(10)
    # The spread is tabulated with the overlaps last, as the means are.
    data: dict[str, tuple] = {}
    for suffix, x in (("", means), ("_standard_error", errors)):
        data[f"test_error{suffix}"] = ("alpha", x[0])
        data[f"train_loss{suffix}"] = ("alpha", x[1] / 1000)
        data[f"positional_overlap{suffix}"] = (("column", "alpha"), x[[2, 4]])
        data[f"semantic_overlap{suffix}"] = (("column", "alpha"), 0.25 * x[[3, 5]])
    return xr.Dataset(data, {"alpha": alpha, "column": ["larger", "smaller"]}, attrs=_attributes())


def _table(text: str) -> np.ndarray:
    return np.array([[float(number) for number in line.split()] for line in text.strip().splitlines()])


def _measured(
    table: np.ndarray, over: str, token_variance: float, dimension: np.ndarray, runs: np.ndarray
) -> xr.Dataset:
    """Return means and standard errors of ``MEASURED``: losses of order d are divided by it, theta gets sigma^2."""
    units = np.ones((len(table), 4))
    units[:, 1], units[:, 3] = 1 / dimension, token_variance
    means, errors = table[:, 1:5] * units, table[:, 5:] * units / np.sqrt(runs)[:, None]
    data: dict[str, tuple] = {"runs": (over, runs)}
    for k, name in enumerate(MEASURED):
        data[name] = (over, means[:, k])
        data[f"{name}_standard_error"] = (over, errors[:, k])
    coordinate = dimension if over == "dimension" else table[:, 0]
    return xr.Dataset(data, {over: coordinate}, attrs=_attributes())


def _attributes() -> dict[str, str]:
    return {"source": "arXiv:2402.03902; github.com/SPOC-group/positional-and-semantic-attention, commit 0b867faf"}
