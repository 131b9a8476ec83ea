"""A diagram against simulations: statistics, extrapolation, verdict and figure."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from replica import AttentionModel
from replica.quantities.names import order_parameters
from saddle import PhaseDiagram, Sector
from validation import INTO_THE_BASIN, Execution, Training, compare_with_theory, simulate
from validation.comparison.figures import plot_sizes
from validation.comparison.run_statistics import extrapolate, significance, statistics_of_runs
from validation.comparison.theory_points import TheoryPoint, theory_point
from validation.comparison.verdict import disagreements
from validation.simulation.compared import COMPARED, compared_names

SIZES = (50, 100)
QUICK = replace(INTO_THE_BASIN, test_samples=500)


@pytest.fixture(scope="module")
def comparison(diagram):
    return compare_with_theory(diagram, (0.5, 1.5, 2.5), dimensions=SIZES, seeds=4, training=QUICK)


def statistics(values: dict[str, float], numbers: np.ndarray, *, exists: bool = True) -> xr.Dataset:
    """Statistics of made-up runs (d, seed), or (alpha, d, seed), in every quantity, against made-up theory."""
    numbers = np.atleast_3d(np.asarray(numbers, dtype=float).T).T
    sizes, alphas = [100 * 2**k for k in range(numbers.shape[1])], [1.0 + k for k in range(len(numbers))]
    runs = xr.Dataset(
        dict.fromkeys(COMPARED, (("start", "dimension", "alpha", "seed"), numbers.transpose(1, 0, 2)[None])),
        coords={"start": ["semantic"], "dimension": sizes, "alpha": alphas, "seed": list(range(numbers.shape[2]))},
    )
    theory = dict.fromkeys(COMPARED, 0.5) | values
    points = {
        ("semantic", alpha): TheoryPoint("semantic", alpha, exists, True, True, theory, dict.fromkeys(COMPARED, 1e-6))
        for alpha in alphas
    }
    return statistics_of_runs(runs, points)


@pytest.mark.parametrize("freedom", [1, 3, 10, 500])
@pytest.mark.parametrize("deviation", [-4.0, -0.3, 0.0, 1.0, 3.0, 8.0])
def test_significance_is_as_unlikely_as_students_t(deviation, freedom):
    found = float(significance(deviation, freedom))
    assert np.sign(found) == np.sign(deviation)
    assert stats.norm.sf(abs(found)) == pytest.approx(stats.t.sf(abs(deviation), freedom), rel=1e-9)


def test_significance_tends_to_the_deviation_and_stays_finite():
    assert float(significance(2.5, 1e7)) == pytest.approx(2.5, rel=1e-5)
    assert 30.0 < float(significance(1e6, 1000)) < 40.0


def test_statistics_are_those_of_the_mean():
    numbers = [[0.4, 0.5, 0.9, 0.6]]
    here = statistics({}, numbers).sel(quantity="self_overlap").squeeze()
    expected = stats.ttest_1samp(numbers[0], 0.5)
    assert float(here["mean"]) == pytest.approx(0.6)
    assert float(here["deviation"]) == pytest.approx(expected.statistic)
    assert 2 * stats.norm.sf(abs(float(here["significance"]))) == pytest.approx(expected.pvalue)
    assert int(here["count"]) == 4


def test_overlaps_enter_by_magnitude_unless_theory_says_that_they_vanish():
    numbers = [[-0.4, 0.5, -0.6, 0.5]]
    signed = statistics({"semantic_overlap": 0.0}, numbers).sel(quantity="semantic_overlap").squeeze()
    assert float(signed["mean"]) == pytest.approx(0.0)
    assert float(signed["magnitude"]) == pytest.approx(0.5)
    by_magnitude = statistics({"semantic_overlap": -0.5}, numbers).sel(quantity="semantic_overlap").squeeze()
    assert float(by_magnitude["mean"]) == pytest.approx(0.5)
    assert float(by_magnitude["theory"]) == pytest.approx(0.5)
    kept = statistics({}, numbers).sel(quantity="train_loss").squeeze()
    assert float(kept["mean"]) == pytest.approx(0.0)


def test_magnitudes_of_pure_chance_are_explained_by_it():
    numbers = 0.1 * np.random.default_rng(0).standard_normal((1, 4000))
    here = statistics({"semantic_overlap": 0.0}, numbers).sel(quantity="semantic_overlap").squeeze()
    assert float(here["magnitude"]) == pytest.approx(float(here["magnitude_by_chance"]), rel=0.03)
    assert float(here["magnitude"]) == pytest.approx(0.1 * np.sqrt(2 / np.pi), rel=0.03)


def test_missing_runs_are_left_out():
    numbers = np.array([[0.4, 0.5, np.nan, 0.6], [0.7, np.nan, np.nan, np.nan]])
    here = statistics({}, numbers).sel(quantity="self_overlap").squeeze()
    assert float(here["mean"][0]) == pytest.approx(0.5)
    assert np.isnan(here["mean"].values[1])
    assert here["count"].values.tolist() == [3, 1]


def test_extrapolation_recovers_a_line_in_1_over_d_and_its_error():
    generator = np.random.default_rng(1)
    noise = generator.standard_normal((400, 3, 20))
    # Every repetition stands at an alpha of its own.
    numbers = 0.5 + 3.0 / (100.0 * 2.0 ** np.arange(3))[:, None] + 0.02 * noise
    fit = extrapolate(statistics({}, numbers)).sel(quantity="self_overlap").squeeze()
    names = ("mean", "standard_error", "slope", "slope_error", "deviation")
    found = np.transpose([fit[name].values for name in names])
    means = np.mean(found, axis=0)
    assert means[0] == pytest.approx(0.5, abs=3 * 0.008 / 20)
    assert means[2] == pytest.approx(3.0, abs=3 * 1.2 / 20)
    # The stated errors are those of the estimates, and deviations from the truth are standard.
    assert np.std(found, axis=0)[0] == pytest.approx(means[1], rel=0.15)
    assert np.std(found, axis=0)[2] == pytest.approx(means[3], rel=0.15)
    assert np.std(found, axis=0)[4] == pytest.approx(1.0, rel=0.15)


def test_theory_of_a_start_is_its_familys_solution(diagram):
    point = theory_point(diagram, "semantic", 1.5)
    solved = diagram.branches["semantic"].at(1.5)
    assert (point.branch, point.exists, point.stable) == ("semantic", True, True)
    assert point.values["semantic_overlap"] == pytest.approx(solved.order_parameters["semantic_overlap"])
    assert point.values["train_loss"] == pytest.approx(-solved.free_entropy, rel=1e-6)
    assert point.replica_stable is False
    assert theory_point(diagram, "semantic", 2.8).replica_stable is True
    assert diagram.branches[point.branch].sector == Sector.SEMANTIC


def test_where_a_family_has_merged_theory_is_what_it_merged_with(diagram):
    point = theory_point(diagram, "semantic", 0.5)
    assert (point.branch, point.exists) == ("agnostic", False)
    assert point.values["semantic_overlap"] == 0.0


def test_verdict_says_what_agrees_and_what_theory_does_not_have(comparison):
    said = comparison.verdict()
    assert "semantic start against the semantic branch, alpha = 1.5, 2.5" in said
    assert "positional-informed start against the positional branch, alpha = 0.5, 1.5, 2.5" in said
    (without,) = [line for line in said.splitlines() if "theory has no semantic solution here" in line]
    assert without.startswith("semantic start, alpha = 0.5: ")
    assert without.endswith("; the proximal point jumps there, and minima that descent finds may be metastable.")
    assert "extrapolated in 1/d" in said
    assert "magnitudes, as published" in said


def test_disagreements_are_those_beyond_three_standard_errors(comparison):
    judged, found = comparison.judged, disagreements(comparison)
    counted = sum(
        abs(float(judged["significance"].sel(start=start, alpha=alpha, quantity=name))) > 3
        for (start, alpha), point in comparison.points.items()
        for name in COMPARED
        if point.exists
    )
    assert len(found) == counted
    assert comparison.agrees == (not found)


def test_a_wrong_theory_is_found_out(diagram):
    """Descent from the teacher against the positional branch's losses."""
    right = compare_with_theory(diagram, (2.5,), starts=("semantic",), dimensions=(100,), seeds=6, training=QUICK)
    swapped = {
        ("semantic", 2.5): replace(
            right.points["semantic", 2.5], values=theory_point(diagram, "positional", 2.5).values
        )
    }
    wrong = replace(right, points=swapped, statistics=statistics_of_runs(right.runs, swapped))
    assert not wrong.agrees
    assert "disagrees" in wrong.verdict()
    assert {item.quantity for item in disagreements(wrong)} >= {"self_overlap", "semantic_overlap", "test_error"}
    # Where proximal points jump the verdict says what is known of minima, and does not blame broken replica symmetry.
    assert not any("metastable" in item.reason for item in disagreements(wrong))
    jumping = replace(wrong, points={key: replace(x, replica_stable=False) for key, x in swapped.items()})
    assert all("minima that descent finds may be metastable" in item.reason for item in disagreements(jumping))
    assert "replica" not in jumping.verdict()
    # After moves between wells minima are no longer metastable, and what is left is the ansatz's.
    moved = replace(jumping, training=replace(QUICK, moves=1))
    assert all("replica symmetry is broken" in item.reason for item in disagreements(moved))
    assert "metastable" not in moved.verdict()


def test_comparisons_are_values_also_interrupted_and_empty(comparison):
    interrupted = replace(comparison, complete=False)
    runs = comparison.runs.map(lambda x: x if x.dtype.kind == "U" else x.where(False))
    nothing = replace(comparison, runs=runs, complete=False)
    nothing = replace(nothing, statistics=statistics_of_runs(nothing.runs, nothing.points), extrapolated=None)
    for one in (comparison, interrupted, nothing):
        for again in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
            assert again == one
            assert hash(again) == hash(one)
        assert len(repr(one)) < 300
        assert "quantities within 3 standard errors" in one._repr_html_()
        assert ("interrupted" in repr(one)) is not one.complete
    assert comparison != interrupted
    assert nothing != interrupted
    assert comparison.training == QUICK
    assert "0 of 0" in repr(nothing)


def test_table_has_a_line_per_size_alpha_and_quantity(comparison):
    lines = comparison.table().splitlines()
    # A heading, both sizes and the extrapolation, and a note on what theory does not have.
    assert len(lines) == 1 + 2 * 3 * 3 * len(COMPARED) + 1
    assert "infinity" in lines[-2] + lines[len(lines) // 2]


def test_figures_show_every_quantity(comparison):
    figure = comparison.plot()
    assert len(figure.axes) == 6
    assert len(plot_sizes(comparison, 1.5).axes) == 6
    with pytest.raises(ValueError, match=r"alpha must be one of .*, got 1\.0"):
        plot_sizes(comparison, 1.0)


def test_a_comparison_goes_on_from_what_is_kept(diagram, tmp_path, comparison):
    arguments = {"dimensions": SIZES, "seeds": 4, "training": QUICK, "execution": Execution(folder=tmp_path)}
    part = compare_with_theory(diagram, (1.5,), **arguments)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    whole = compare_with_theory(diagram, (0.5, 1.5, 2.5), **arguments)
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    assert len(list(tmp_path.iterdir())) == 3 * len(kept)
    xr.testing.assert_identical(part.runs, whole.runs.sel(alpha=[1.5]))
    xr.testing.assert_identical(whole.runs, comparison.runs)


@pytest.mark.measurement
def test_minima_extrapolate_to_theory(diagram):
    """Where replica symmetry is stable; the seeds were chosen before anything was seen."""
    found = compare_with_theory(
        diagram, (2.4, 2.8), starts=("semantic",), dimensions=(250, 500, 1000), seeds=range(2402, 2414),
        training=replace(INTO_THE_BASIN, test_samples=4000),
    )  # fmt: skip
    assert all(point.replica_stable for point in found.points.values())
    assert found.agrees, found.verdict()


def test_the_default_stays_in_the_basin_of_its_start():
    """L-BFGS alone leaps from the encodings into the basin of a higher minimum, here at d = 464."""
    model = AttentionModel.paper(omega=0.3)
    arguments = (model, "positional-informed", 1.5, 464, 2403)
    careful, descent = (
        simulate(*arguments, training=training, spherical_teacher=True)
        for training in (replace(INTO_THE_BASIN, test_samples=10), Training(steps=2500, polish=True, test_samples=10))
    )
    assert careful.train_loss == pytest.approx(descent.train_loss, rel=1e-6)
    assert abs(careful.positional_overlap) == pytest.approx(abs(descent.positional_overlap), rel=1e-4)
    assert abs(careful.positional_overlap) > 0.2


# ------------------------------------------------------------------------------------------- models of any kind


TWO_COLUMNS = AttentionModel.paper(rank=2).structure.layout


def signless_statistics(numbers: np.ndarray, theory: float, sizes: list[int]) -> xr.Dataset:
    """Statistics of made-up runs (d, seed), or (alpha, d, seed), of two columns, whose theta theory says this of."""
    names, numbers = compared_names(TWO_COLUMNS), np.atleast_3d(numbers.T).T
    alphas = [1.0 + k for k in range(len(numbers))]
    runs = xr.Dataset(
        dict.fromkeys(names, (("start", "dimension", "alpha", "seed"), numbers.transpose(1, 0, 2)[None])),
        coords={"start": ["semantic"], "dimension": sizes, "alpha": alphas, "seed": list(range(numbers.shape[2]))},
    )
    values = dict.fromkeys(names, 0.5) | {"semantic_overlap": theory}
    errors = dict.fromkeys(names, 1e-6)
    points = {("semantic", alpha): TheoryPoint("semantic", alpha, True, True, True, values, errors) for alpha in alphas}
    return statistics_of_runs(runs, points, TWO_COLUMNS)


def test_singular_values_that_vanish_are_held_against_chance():
    """Lengths of normal vectors of two entries agree with zero, also extrapolated; anything longer does not."""
    sizes = [100, 200, 400]
    generator = np.random.default_rng(2)
    spread = 1.0 / np.sqrt(np.array(sizes))[:, None]
    # Every repetition stands at an alpha of its own.
    lengths = spread * np.linalg.norm(generator.standard_normal((100, 2, 3, 12)), axis=1)
    found = signless_statistics(lengths, 0.0, sizes)
    limit = extrapolate(found).sel(quantity="semantic_overlap").squeeze()
    here = found.sel(quantity="semantic_overlap").squeeze().isel(dimension=-1)
    assert bool(here["without_sign"].all())
    np.testing.assert_array_equal(limit["mean"], here["mean"])
    assert np.mean(np.abs(limit["significance"]) < 3) >= 0.98
    present = signless_statistics(0.2 + 0.01 * generator.standard_normal((3, 12)), 0.0, sizes)
    assert float(extrapolate(present).sel(quantity="semantic_overlap")["significance"].squeeze()) > 5
    # Where theory has the overlap it is a number like any other.
    expected = signless_statistics(0.2 + 0.01 * generator.standard_normal((3, 12)), 0.2, sizes)
    assert abs(float(extrapolate(expected).sel(quantity="semantic_overlap")["significance"].squeeze())) < 4
    assert not expected["without_sign"].any()


class MadeUpBranch:
    """A branch of a made-up diagram, with one solution at every alpha."""

    def __init__(self, family: str, name: str, model: AttentionModel, free_entropy: float, **overlaps: float):
        self.sector, self.name = SimpleNamespace(value=family, name=family), name
        names = [entry.name for entry in order_parameters(model.structure.layout)]
        self.values = dict.fromkeys(names, 0.0) | overlaps
        self.free_entropy = free_entropy
        self.alpha, self.distinct, self.replica_stable = np.array([1.0]), np.array([True]), np.array([True])

    def at(self, alpha: float) -> SimpleNamespace:
        error = dict.fromkeys(self.values, 3e-4) | {"free_entropy": 1e-6, "test_error": 2e-6}
        return SimpleNamespace(
            alpha=alpha, order_parameters=self.values, free_entropy=self.free_entropy, error=error, stable=True,
            train_loss=-self.free_entropy, test_error=0.01,
        )  # fmt: skip


def made_up_diagram(model: AttentionModel, *branches: MadeUpBranch) -> PhaseDiagram:
    diagram = object.__new__(PhaseDiagram)
    for name, value in (("model", model), ("branches", {branch.name: branch for branch in branches})):
        object.__setattr__(diagram, name, value)
    return diagram


def test_theory_of_several_columns_is_given_by_invariants():
    model = AttentionModel.paper(rank=2)
    branch = MadeUpBranch(
        "semantic", "semantic", model, -0.1, self_overlap_11=2.0, self_overlap_12=1.0, self_overlap_22=2.0,
        semantic_overlap_1=3.0, semantic_overlap_2=-4.0,
    )  # fmt: skip
    point = theory_point(made_up_diagram(model, branch), "semantic", 1.0)
    assert tuple(point.values) == compared_names(TWO_COLUMNS)
    assert point.values["self_overlap_1"] == pytest.approx(3.0)
    assert point.values["semantic_overlap"] == pytest.approx(5.0)
    assert point.errors["self_overlap_2"] == pytest.approx(2 * 3e-4)
    assert point.errors["semantic_overlap"] == pytest.approx(np.sqrt(2) * 3e-4)
    assert point.errors["train_loss"] == 1e-6


def test_where_symmetry_leaves_mixed_solutions_alone_a_start_is_compared_with_its_largest_overlap():
    model = AttentionModel.paper()
    agnostic = MadeUpBranch("agnostic", "agnostic", model, -0.3, self_overlap=0.1)
    towards_m = MadeUpBranch("mixed", "mixed", model, -0.1, positional_overlap=0.5, semantic_overlap=0.1)
    towards_theta = MadeUpBranch("mixed", "mixed 2", model, -0.2, positional_overlap=0.1, semantic_overlap=-0.4)
    diagram = made_up_diagram(model, agnostic, towards_m, towards_theta)
    assert theory_point(diagram, "semantic", 1.0).branch == "mixed 2"
    assert theory_point(diagram, "positional", 1.0).branch == "mixed"
    assert theory_point(diagram, "positional", 1.0).exists
    # A family of its own comes first, whatever else there is.
    own = MadeUpBranch("semantic", "semantic", model, -0.5, semantic_overlap=0.01)
    assert theory_point(made_up_diagram(model, *diagram.branches.values(), own), "semantic", 1.0).branch == "semantic"
    merged = made_up_diagram(model, agnostic)
    assert (theory_point(merged, "semantic", 1.0).branch, theory_point(merged, "semantic", 1.0).exists) == (
        "agnostic",
        False,
    )
