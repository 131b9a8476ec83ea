"""The table of a branch's numbers: every field of one number per point is in it, and in files as it says."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from saddle.branches.branch import Branch
from saddle.branches.branch_numbers import BRANCH_NUMBERS


def test_every_number_of_a_branch_is_in_the_table(diagram):
    branch = diagram.branches["semantic"]
    numbers = {
        x.name
        for x in fields(Branch)
        if isinstance(value := getattr(branch, x.name), np.ndarray) and value.ndim == 1 and value.dtype == float
    }
    assert numbers - {"alpha"} == {x.name for x in BRANCH_NUMBERS}


@pytest.mark.parametrize("number", BRANCH_NUMBERS, ids=lambda x: x.name)
def test_a_number_is_stored_under_its_name_with_its_meaning(diagram, number):
    stored = diagram.to_dataset()[number.name]
    assert stored.attrs["long_name"] == number.meaning
    np.testing.assert_array_equal(stored.sel(branch="semantic"), getattr(diagram.branches["semantic"], number.name))
