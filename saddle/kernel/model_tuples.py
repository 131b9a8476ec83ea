"""What numerics are told of a model, by name: numbers, places, addresses.

NOTE: these are classes of their own module, not of every number of fields' numerics. Numba knows a tuple of them by the
names of its parts alone, so that code compiled for one such module, after another's in the same process, would name the
other's classes; and could then not be read where that module is not.
"""

from __future__ import annotations

from collections import namedtuple

__all__ = ["Functions", "Sizes"]

# What a model's structure fixes: numbers of things and their places in the workspace, both in the text's own words
# (see ``saddle.kernel.lanes``), then the group of every token.
Sizes = namedtuple(
    "Sizes",
    "targets first_target constants row_t row_out work_size parameters state odd rank self_overlaps groups",
)
# Addresses of the functions over lanes. ``integrands`` and ``jump_terms`` are those of what is averaged.
Functions = namedtuple("Functions", "newton_sweeps fill_constants local_fields along_line integrands jump_terms")
