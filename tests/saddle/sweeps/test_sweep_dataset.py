"""Transitions of many models as one Dataset."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import sympy as sp
import xarray as xr

from replica import AttentionModel, linear_attention, softmax_attention
from saddle import ModelSweep, SweptModel, solve_phase_diagram, sweep_dataset

OMEGAS, SIGMAS = (0.2, 0.3, 0.25), (0.4, 0.5)


@pytest.fixture(scope="module")
def solved():
    return solve_phase_diagram(AttentionModel.paper(), (1.0, 1.6), points=3, tolerance=2e-2)


def member(solved, alpha=None, **changes) -> SweptModel:
    """As if this diagram were another model's, with alpha_c elsewhere."""
    model = dataclasses.replace(AttentionModel.paper(), **changes)
    moved = None if alpha is None else dataclasses.replace(solved.alpha_c, alpha=alpha)
    return SweptModel(model, dataclasses.replace(solved, model=model, alpha_c=moved))


def test_all_combinations_are_dimensions(solved):
    members = [member(solved, omega + sigma, omega=omega, sigma=sigma) for sigma in SIGMAS for omega in OMEGAS]
    data = sweep_dataset(ModelSweep(tuple(members)))
    assert data.alpha.dims[-1] == "transition"
    for omega in OMEGAS:
        for sigma in SIGMAS:
            here = data.sel(omega=omega, sigma=sigma, transition="alpha_c")
            assert float(here.alpha) == omega + sigma
            assert float(here.error) == solved.alpha_c.error
            assert bool(here.resolved)
            assert str(here.kind.values) == "first-order"
    np.testing.assert_array_equal(data.omega, sorted(OMEGAS))
    assert sweep_dataset(members).identical(data)


def test_one_parameter_is_a_dimension_in_order(solved):
    data = sweep_dataset([member(solved, omega, omega=omega) for omega in OMEGAS])
    assert dict(data.alpha.sizes) == {"omega": 3, "transition": len(data.transition)}
    np.testing.assert_array_equal(data.alpha.sel(transition="alpha_c"), sorted(OMEGAS))
    assert list(map(str, data.transition.values[:2])) == ["alpha_c", "alpha_l"]


def test_others_are_models_in_the_order_given(solved):
    for omegas in ((0.2, 0.3, 0.2), (0.3, 0.3)):
        data = sweep_dataset([member(solved, 1.0 + k, omega=omega) for k, omega in enumerate(omegas)])
        assert data.alpha.dims == ("model", "transition")
        np.testing.assert_array_equal(data.alpha.sel(transition="alpha_c"), 1.0 + np.arange(len(omegas)))
    mixed = [member(solved, omega=0.2, sigma=0.4), member(solved, omega=0.3, sigma=0.5)]
    data = sweep_dataset(mixed)
    assert set(data.coords) == {"transition", "omega", "sigma"}
    np.testing.assert_array_equal(data.sigma, (0.4, 0.5))


def test_a_diagram_alone(solved):
    data = sweep_dataset([solved])
    for name, transition in solved.transitions.items():
        assert float(data.alpha.sel(transition=name)[0]) == transition.alpha
        assert float(data.error.sel(transition=name)[0]) == transition.error
        assert str(data.criticality.sel(transition=name).values[0]) == (transition.criticality or "")


def test_what_is_missing_is_nan_with_a_reason(solved, tmp_path):
    without = dataclasses.replace(solved, alpha_c=None, reasons={"alpha_c": "none was found"})
    failed = SweptModel(AttentionModel.paper(omega=0.1), None, "ValueError: no")
    data = sweep_dataset([failed, SweptModel(solved.model, without)])
    here = data.sel(transition="alpha_c")
    assert np.isnan(here.alpha).all()
    assert np.isnan(here.error).all()
    assert here.reason.values.tolist() == ["", "none was found"]
    assert not here.resolved.any()
    assert data.complete.values.tolist() == [False, True]
    assert data.failure.values.tolist() == ["ValueError: no", ""]
    assert data.alpha.sel(transition="alpha_l").values.tolist()[1] == solved.alpha_l.alpha
    data.to_netcdf(tmp_path / "sweep.nc", engine="scipy")
    again = xr.load_dataset(tmp_path / "sweep.nc")
    np.testing.assert_array_equal(again.alpha, data.alpha)


def test_an_interrupted_diagram_says_so(solved):
    partial = dataclasses.replace(solved, alpha_c=None, complete=False, reasons={"interrupted": "at once"})
    data = sweep_dataset([partial])
    assert not data.complete.any()
    assert data.reason.sel(transition="alpha_c").item() == "at once"
    assert data.reason.sel(transition="alpha_l").item() == ""
    assert data.failure.item() == ""


def test_models_of_several_kinds_are_no_grid(solved):
    """Omega alone does not tell them apart."""
    linear = AttentionModel(omega=0.2, attention=linear_attention(), target=linear_attention())
    data = sweep_dataset([SweptModel(linear, None, "no"), member(solved, omega=0.3)])
    assert data.alpha.dims == ("model", "transition")
    np.testing.assert_array_equal(data.omega, (0.2, 0.3))


def test_a_parameter_called_as_a_variable_is_refused():
    named = [
        AttentionModel(0.3, attention=softmax_attention(sp.Symbol("kind")), parameters={"kind": value})
        for value in (1.0, 2.0)
    ]
    with pytest.raises(ValueError, match="'kind'"):
        sweep_dataset([SweptModel(model, None, "no") for model in named])


def test_a_sweep_without_diagrams_is_a_dataset():
    data = sweep_dataset([SweptModel(AttentionModel.paper(omega=omega), None, "no") for omega in (0.1, 0.2)])
    assert list(map(str, data.transition.values)) == ["alpha_c", "alpha_l"]
    assert np.isnan(data.alpha).all()


@pytest.mark.parametrize(
    ("sweep", "quoted"),
    [
        ([], "at least one model"),
        (3, "3"),
        ([AttentionModel.paper()], r"sweep\[0\]"),
        (
            [SweptModel(AttentionModel.paper(), None, "no"), SweptModel(AttentionModel.paper(rank=2), None, "no"),
             SweptModel(AttentionModel(0.0, positional_encoding=(1, 0, -1)), None, "no")],
            "names",
        ),
    ],
)  # fmt: skip
def test_misuse_raises(sweep, quoted):
    with pytest.raises(ValueError, match=quoted):
        sweep_dataset(sweep)
