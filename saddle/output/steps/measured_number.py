"""Numbers with their errors, as they are printed in reports: 0.0493(12) is 0.0493 with an error of 0.0012."""

from __future__ import annotations

import math

__all__ = ["measured"]


def measured(value: float, error: float) -> str:
    r"""Return a number as LaTeX, with two digits of its error in brackets.

    Parameters
    ----------
    value, error
        A number and its error; one that is not finite is not known, zero is that of an exact number.

    Examples
    --------
    >>> measured(0.049293, 0.000123), measured(-0.000427, 3.6e-05), measured(731.6, 249.7)
    ('$0.04929(12)$', '$-0.000427(36)$', '$730(250)$')
    >>> measured(-math.inf, 0.0), measured(1.5, math.nan), measured(1.5, 0.0)
    ('$-\\infty$', '$1.5$, its error not known', '$1.5$')
    """
    if math.isinf(value):
        return r"$-\infty$" if value < 0 else r"$\infty$"
    if not math.isfinite(error):
        return f"${value:.6g}$, its error not known"
    if error == 0.0:
        return f"${value:.6g}$"
    # Of an error that would round to three digits, the first two.
    digits = 1 - math.floor(math.log10(float(f"{error:.1e}")))
    shown = f"{round(value, digits):.{max(digits, 0)}f}"
    return f"${shown}({round(round(error, digits) * 10 ** max(digits, 0))})$"
