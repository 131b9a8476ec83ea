"""The list of the longest test files names files that exist."""

from pathlib import Path

import pytest

from tests.conftest import LONGEST

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", LONGEST)
def test_a_file_that_is_begun_first_exists(name):
    assert (ROOT / name).is_file()
