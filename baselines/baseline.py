"""What every baseline is: a name and a test error, which may depend on the number of samples."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from replica.common.checked_arguments import positive_number

__all__ = ["Baseline", "ConstantBaseline", "checked_alpha"]


@runtime_checkable
class Baseline(Protocol):
    """A learner that the attention layer is compared with."""

    @property
    def name(self) -> str:
        """What figures and tables call it."""
        ...

    @property
    def constant(self) -> bool:
        """Whether the test error is the same at every alpha; then there are ``test_error`` and ``error``, too."""
        ...

    def test_error_at(self, alpha: float) -> float:
        """Return the test error per token, (1/(dL)) E|y - f(x)|^2, at sample complexity alpha = n/d."""
        ...


class ConstantBaseline:
    """A baseline whose test error does not depend on alpha; for frozen dataclasses to inherit from.

    Attributes
    ----------
    test_error
        Test error per token.
    error
        Estimate of the numerical error of ``test_error``.
    """

    test_error: float
    error: float

    @property
    def constant(self) -> bool:
        """True: the test error is the same at every alpha."""
        return True

    def test_error_at(self, alpha: float) -> float:
        """Return the test error per token, whatever alpha.

        Raises
        ------
        ValueError
            If alpha is not positive and finite.
        """
        checked_alpha(alpha)
        return self.test_error


def checked_alpha(alpha: float) -> float:
    """Return a sample complexity as a float.

    Raises
    ------
    ValueError
        If it is not positive and finite.
    """
    return positive_number("alpha", alpha)
