"""Trends over the number of steps: a geometric series, what is not known, solutions side by side."""

import copy
import pickle

import numpy as np
import pytest

from replica import AttentionModel
from saddle import JumpLineRule, StateEvolution, StepTrend, find_point, solve_broken_symmetry, step_trend


def trend(*numbers: float, error: float = 0.0) -> StepTrend:
    values = np.array(numbers)[:, None]
    return StepTrend(("x",), values, np.full(values.shape, error))


def test_a_geometric_series_is_continued_to_its_limit():
    # 1 - 1/4 - 1/16 - ... = 2/3.
    found = trend(1.0, 0.75, 0.6875)
    assert found.ratio == pytest.approx([0.25])
    assert found.values[-1] + found.geometric_rest == pytest.approx([2 / 3])
    assert found.geometric_rest_error == pytest.approx([0.0])
    known = trend(1.0, 0.75, 0.6875, error=0.005)
    assert known.geometric_rest == found.geometric_rest
    # Changes of 0.25(1) and 0.0625(100).
    assert known.geometric_rest_error == pytest.approx(0.0725**2 / (0.24 - 0.0725) - 0.0625**2 / 0.1875)
    assert "what full breaking changes is not known" in repr(known)
    assert pickle.loads(pickle.dumps(known)) == copy.deepcopy(known) == known


@pytest.mark.parametrize(
    "found",
    [trend(1.0), trend(1.0, 0.75), trend(1.0, 0.75, 0.5), trend(1.0, 0.75, 0.7, error=0.2), trend(0.0, 0.0, 0.0)],
)
def test_what_changes_do_not_say_is_not_known(found):
    assert np.isnan(found.geometric_rest).all()
    assert np.isnan(found.geometric_rest_error).all()
    for shown in (repr(found), found._repr_html_()):
        assert "not known" in shown


@pytest.mark.slow
def test_solutions_stand_side_by_side():
    symmetric = find_point(StateEvolution(AttentionModel.paper(omega=0.3)), "positional", 1.5)
    one = solve_broken_symmetry(symmetric, rule=JumpLineRule(roughness=30.0))
    found = step_trend([symmetric, one])
    assert found.names == (*symmetric.order_parameters, "free_entropy", "test_error")
    assert found.changes[0, 0] == one.order_parameters["self_overlap_1"] - symmetric.order_parameters["self_overlap"]
    assert found.errors[1, -2] == one.free_entropy_error
    assert "susceptibility: 13.59" in repr(found)
    for points, said in (([one], "0, 1, ... k steps"), ([], "one family"), ([symmetric, 1.0], "0, 1, ... k steps")):
        with pytest.raises(ValueError, match=said):
            step_trend(points)
    other = find_point(symmetric.evolution, "positional", 1.6)
    with pytest.raises(ValueError, match="one family at one alpha"):
        step_trend([other, one])
