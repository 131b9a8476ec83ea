"""Results with arrays: equality by value, hashes, and copies that stay read-only."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from replica.common.by_value import ByValue, same


@dataclass(frozen=True, eq=False)
class Measured(ByValue):
    values: np.ndarray
    named: Mapping[str, np.ndarray] = field(default_factory=dict)
    note: object = None
    seconds: float = field(default=0.0, compare=False)

    @cached_property
    def doubled(self) -> np.ndarray:
        return 2.0 * self.values


@dataclass(frozen=True, eq=False)
class Other(Measured):
    pass


@dataclass(frozen=True)
class Plain:
    values: np.ndarray


FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@given(values=arrays(float, st.integers(0, 5), elements=FLOATS), note=st.one_of(FLOATS, st.text(), st.booleans()))
def test_what_is_made_alike_is_equal_and_has_one_hash(values, note):
    first, second = (Measured(values.copy(), {"a": values.copy()}, (note, [values.copy()])) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert same(first, second)
    for again in (pickle.loads(pickle.dumps(first)), copy.deepcopy(first), copy.copy(first)):
        assert again == first
        assert hash(again) == hash(first)


@given(values=arrays(float, 4, elements=FLOATS), place=st.integers(0, 3))
def test_another_entry_makes_another_value(values, place):
    changed = values.copy()
    changed[place] = 0.5 if np.isnan(values[place]) else np.nan
    assert Measured(values) != Measured(changed)
    assert Measured(values, {"a": values}) != Measured(values, {"a": changed})
    assert Measured(values, note=(values,)) != Measured(values, note=(changed,))
    assert Measured(values, note=Plain(values)) != Measured(values, note=Plain(changed))


def test_classes_shapes_names_and_kinds_are_told_apart():
    one = np.ones(2)
    assert Measured(one) != Other(one)
    assert Measured(one) != 3
    assert Measured(one) != Measured(np.ones((1, 2)))
    assert Measured(one) != Measured(np.ones(3))
    assert Measured(one, {"a": one}) != Measured(one, {"b": one})
    assert Measured(one, note=(1, 2)) != Measured(one, note=[1, 2])
    assert Measured(one, note=one) != Measured(one, note=(1.0, 1.0))
    assert not same(np.array(["a"]), np.array(["b"]))
    assert same(Plain(one), Plain(one.copy()))
    assert hash(Measured(one, note=Plain(one))) == hash(Measured(one, note=Plain(one.copy())))


def test_zeros_of_either_sign_are_equal_and_have_one_hash():
    first, second = Measured(np.array([0.0])), Measured(np.array([-0.0]))
    assert first == second
    assert hash(first) == hash(second)


def test_what_is_not_compared_does_not_count():
    assert Measured(np.ones(1), seconds=1.0) == Measured(np.ones(1), seconds=2.0)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_are_read_only_and_hold_nothing_that_was_computed(copied):
    first = Measured(np.ones(2), MappingProxyType({"a": np.ones(1)}), (np.ones(1), [np.ones(1)]))
    assert first.doubled.sum() == 4.0
    again = copied(first)
    assert again == first
    assert "doubled" not in vars(again)
    assert isinstance(again.named, MappingProxyType)
    for array in (again.values, again.named["a"], again.note[0], again.note[1][0]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 3.0
