"""Figures that a notebook shows, also a fresh one in which nobody has imported pyplot."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

__all__ = ["ShownFigure"]


class ShownFigure(Figure):
    """A figure that knows its own picture.

    A notebook learns how to show figures when pyplot is imported, which makes and keeps figures of its own. This one
    asks for neither; where the notebook has learnt it, with the user's own choice of formats, that is used.
    """

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()
