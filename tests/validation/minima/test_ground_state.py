"""Moves between wells: wells against sample removal, minima against exhaustive search, symmetries, bad input."""

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

from replica import AttentionModel
from saddle import solve_phase_diagram
from validation import (
    INTO_THE_BASIN,
    INTO_THE_GROUND_STATE,
    Training,
    TrainingLoss,
    compare_with_theory,
    draw_teacher_data,
    ground_state,
    ground_state_dataset,
    load_ground_state,
    save_ground_state,
    train_student,
)
from validation.simulation.descent.optimisers import lowest_by_lbfgs
from validation.simulation.wells.moves import mutual_overlap
from validation.simulation.wells.sample_losses import SampleLosses
from validation.simulation.wells.sample_wells import wells_at

PAPER, SMALLER = AttentionModel.paper(omega=0.3), AttentionModel.paper(omega=0.2)
QUICK = dataclasses.replace(INTO_THE_BASIN, test_samples=100)
FROM_HERE = Training(method="l-bfgs", test_samples=100)
# Of the data sets of SMALLER, one where moves lower the loss.
DIMENSION, MOVING_SEED = 250, 3


def draw(model=SMALLER, dimension=DIMENSION, alpha=1.5, seed=MOVING_SEED, **options):
    return draw_teacher_data(model, dimension, alpha, np.random.default_rng(seed), **options)


def lowest(data, start: Any = "positional-informed", training=QUICK, **options):
    return ground_state(data, start, generator=np.random.default_rng(9), training=training, **options)


@pytest.fixture(scope="module")
def moving():
    data = draw()
    return data, lowest(data)


@pytest.fixture(scope="module")
def at_minimum(moving):
    data, found = moving
    loss = TrainingLoss.of(data)
    return loss, found.metastable.student, wells_at(loss, SampleLosses.of(loss), found.metastable.student)


# ------------------------------------------------------------------------------------------------------ wells


def test_the_hessian_is_that_of_the_training_loss(at_minimum):
    loss, student, wells = at_minimum
    direction = np.random.default_rng(0).standard_normal(student.size)
    step = 1e-5 * direction
    difference = (loss.gradient(student + step) - loss.gradient(student - step)) / 2e-5
    product = wells.factor @ (wells.factor.T @ direction)
    np.testing.assert_allclose(product, difference, atol=1e-6 * np.abs(difference).max())


def test_fields_are_minima_of_their_moreau_objectives_at_the_cavity_fields(at_minimum):
    loss, _, wells = at_minimum
    losses = SampleLosses.of(loss)
    precision = np.linalg.inv(wells.response) - losses.hessian(wells.fields)
    pull = np.einsum("nij,nj->ni", precision, wells.fields - wells.cavity_fields)
    np.testing.assert_allclose(pull, -losses.gradient(wells.fields), atol=1e-12)


def test_cavity_fields_are_those_of_the_minimum_without_the_sample(at_minimum):
    """Removing a sample and minimising again is the definition; the formula is its second order."""
    loss, student, wells = at_minimum
    data, errors, pulls = loss.data, [], []
    for sample in range(0, data.samples, 25):
        kept = np.arange(data.samples) != sample
        without = dataclasses.replace(data, tokens=data.tokens[:, kept], targets=data.targets[:, :, kept])
        cavity, _ = lowest_by_lbfgs(TrainingLoss.of(without), student, 10_000)
        fields = loss.preactivations(cavity)[:, sample]
        errors.append(np.linalg.norm(fields - wells.cavity_fields[sample]))
        pulls.append(np.linalg.norm(fields - wells.fields[sample]))
    assert np.median(errors) < 0.05 * np.median(pulls)


def test_the_response_tends_to_theorys_susceptibility(at_minimum):
    loss, _, wells = at_minimum
    own = np.linalg.inv(np.linalg.inv(wells.response) - SampleLosses.of(loss).hessian(wells.fields))
    mean = np.trace(own, axis1=1, axis2=2).mean() / 2
    # Both are tr(Sigma H^-1)/d, one with samples that H has not seen; the encodings add a single direction.
    assert mean == pytest.approx(wells.susceptibility, rel=0.1)


def test_moves_take_a_sample_where_they_should(at_minimum):
    loss, student, wells = at_minimum
    assert len(wells.candidates) >= 2
    assert sorted(wells.rise[wells.candidates]) == list(wells.rise[wells.candidates])
    for sample in wells.candidates:
        displaced = student + wells.displacement(sample)
        np.testing.assert_allclose(loss.preactivations(displaced)[:, sample], wells.other_fields[sample], atol=1e-9)


@pytest.mark.slow
def test_moves_cost_what_the_moreau_objectives_say():
    """To second order, and so for the typical one: now and then other samples follow, or all return."""
    said, found = [], []
    for seed in range(8):
        loss = TrainingLoss.of(draw(PAPER, 400, seed=seed, spherical_teacher=True))
        student = lowest(loss.data, least_overlap=1.0).metastable.student
        wells = wells_at(loss, SampleLosses.of(loss), student)
        for sample in wells.candidates:
            moved, _ = lowest_by_lbfgs(loss, student + wells.displacement(sample), 10_000)
            said.append(wells.rise[sample])
            found.append(loss.value(moved) - loss.value(student))
    clear = np.array(said) > 0.01
    assert np.sum(clear) >= 10
    assert np.median(np.abs(np.divide(found, said)[clear] - 1)) < 0.15
    # Differences of well below a thousandth of the loss are not to be told.
    assert np.corrcoef(said, found)[0, 1] > 0.8


# ------------------------------------------------------------------------------------------------------- laws


def test_the_loss_falls_to_a_minimum_in_the_same_basin(moving):
    _, found = moving
    assert found.accepted >= 1
    assert np.all(np.diff(found.losses) < 0)
    assert found.lowest.train_loss == pytest.approx(found.losses[-1], rel=1e-10)
    assert found.lowest.gradient_norm < 1e-7
    assert found.metastable.train_loss == pytest.approx(found.losses[0], rel=1e-12)
    assert found.relative_drop == pytest.approx(1 - found.lowest.train_loss / found.metastable.train_loss, rel=1e-6)
    assert 0.7 <= found.mutual_overlap < 1
    assert found.tried >= found.accepted
    assert found.complete
    assert not found.interrupted


def test_the_result_is_a_fixed_point(moving):
    data, found = moving
    again = lowest(data, found.lowest.student, FROM_HERE)
    assert again.accepted == 0
    assert again.lowest is again.metastable
    np.testing.assert_allclose(again.lowest.student, found.lowest.student, atol=1e-6)


def test_chains_begin_where_single_moves_end(moving):
    data, found = moving
    longer = lowest(data, training=dataclasses.replace(QUICK, moves=2))
    assert longer.lowest.train_loss <= found.lowest.train_loss * (1 + 1e-12)
    assert longer.tried > found.tried


def test_mirrored_starts_give_mirrored_minima(moving):
    data, found = moving
    start = found.metastable.student
    one, other = lowest(data, start, FROM_HERE), lowest(data, -start, FROM_HERE)
    assert one.accepted == found.accepted
    np.testing.assert_array_equal(one.lowest.student, -other.lowest.student)


def test_orthogonal_maps_and_other_orders_of_the_data_change_nothing(moving):
    data, found = moving
    generator = np.random.default_rng(4)
    rotation, _ = np.linalg.qr(generator.standard_normal((data.dimension, data.dimension)))
    order = generator.permutation(data.samples)
    turned = dataclasses.replace(
        data, tokens=data.tokens[:, order] @ rotation, targets=data.targets[:, :, order],
        teacher=data.teacher @ rotation, encodings=data.encodings @ rotation,
    )  # fmt: skip
    other = lowest(turned, found.metastable.student @ rotation, FROM_HERE)
    assert other.accepted == found.accepted
    np.testing.assert_allclose(other.losses, found.losses, rtol=1e-9)
    np.testing.assert_allclose(other.lowest.student, found.lowest.student @ rotation, atol=1e-5)


def test_without_another_well_the_minimum_is_kept():
    """At a strong ridge the loss is convex where it matters: every Moreau objective has one minimum."""
    found = lowest(draw(dataclasses.replace(PAPER, regularization=0.05), 60, seed=0))
    assert (found.tried, found.accepted, found.complete) == (0, 0, True)
    assert found.lowest is found.metastable


def test_training_with_moves_ends_at_the_ground_state(moving):
    data, found = moving
    run = train_student(
        data, "positional-informed", generator=np.random.default_rng(9),
        training=dataclasses.replace(INTO_THE_GROUND_STATE, test_samples=100),
    )  # fmt: skip
    assert run.train_loss == pytest.approx(found.lowest.train_loss, rel=1e-12)
    assert run.test_error == pytest.approx(found.lowest.test_error, rel=1e-6)
    assert run.polished


@pytest.mark.slow
def test_a_comparison_at_ground_states_has_lower_losses(moving):
    """And the same data: where no move is accepted the runs are the same."""
    diagram = solve_phase_diagram(SMALLER, (1.0, 2.0), points=3, tolerance=5e-3, threads=1)
    plain, lower = (
        compare_with_theory(
            diagram, [1.5], starts=["positional-informed"], dimensions=[120], seeds=6,
            training=dataclasses.replace(training, test_samples=100),
        )
        for training in (INTO_THE_BASIN, INTO_THE_GROUND_STATE)
    )  # fmt: skip
    drop = (plain.runs["train_loss"] - lower.runs["train_loss"]).values.ravel()
    assert np.all(drop >= -1e-12)
    assert np.any(drop > 1e-6)
    same = drop < 1e-12
    overlaps = [runs.runs["self_overlap"].values.ravel()[same] for runs in (plain, lower)]
    np.testing.assert_allclose(*overlaps, rtol=1e-5)


def test_an_interrupted_training_is_no_run(monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("validation.simulation.wells.moves.mutual_overlap", stop)
    with pytest.raises(KeyboardInterrupt):
        train_student(
            draw(), "positional-informed", generator=np.random.default_rng(0),
            training=dataclasses.replace(QUICK, moves=1),
        )  # fmt: skip


@pytest.mark.parametrize("start", ["semantic", "positional-informed", "random"])
def test_every_named_start(start):
    found = lowest(draw(dimension=60, alpha=2.0, seed=1), start)
    assert found.metastable.start == found.lowest.start == start
    assert found.lowest.train_loss <= found.metastable.train_loss


@pytest.mark.slow
def test_no_start_of_hundreds_leads_lower():
    """In nearly all data sets, and in some of them plain minima are beaten: so moves are what finds the lowest."""
    generator, beaten, plain_beaten = np.random.default_rng(1), 0, 0
    for seed in range(24):
        data = draw(dimension=20, seed=seed)
        found = lowest(data)
        loss, first = TrainingLoss.of(data), found.metastable.student
        scale, best = np.linalg.norm(first) / np.sqrt(first.size), np.inf
        for k in range(100):
            start = first * (k % 3) / 2 + scale * (0.5 + k % 4 / 2) * generator.standard_normal(first.size)
            student, _ = lowest_by_lbfgs(loss, start, 2000)
            # The loss is even.
            if abs(mutual_overlap(student, first)) >= 0.7:
                best = min(best, loss.per_dimension(student))
        beaten += best < found.lowest.train_loss * (1 - 1e-8)
        plain_beaten += best < found.metastable.train_loss * (1 - 1e-8)
    assert beaten <= 1
    assert plain_beaten > beaten


# ---------------------------------------------------------------------------------------------------- the value


def test_it_prints_short_compares_and_pickles(moving):
    data, found = moving
    assert len(repr(found)) < 200
    assert "lowered by" in repr(found)
    copied = pickle.loads(pickle.dumps(found))
    assert copied == found
    assert repr(copied) == repr(found)
    assert not copied.losses.flags.writeable
    assert found != lowest(data, found.lowest.student, FROM_HERE)
    for column in (found.losses, found.wrong_wells, found.susceptibilities):
        assert len(column) == found.accepted + 1
        assert not column.flags.writeable


def test_an_interrupted_search_keeps_what_it_has(moving):
    data, whole = moving

    def stop(tried):
        if tried == whole.tried - 1:
            raise KeyboardInterrupt

    found = lowest(data, progress=stop)
    assert (found.interrupted, found.complete, found.tried) == (True, False, whole.tried - 1)
    assert found.accepted >= 1
    np.testing.assert_array_equal(found.losses, whole.losses[: len(found.losses)])
    assert "interrupted" in repr(found)
    assert pickle.loads(pickle.dumps(found)) == found


def test_too_few_moves_are_said(moving):
    data, _ = moving
    found = lowest(data, most_moves=1)
    assert (found.tried, found.complete, found.interrupted) == (1, False, False)
    assert "not complete" in repr(found)


def test_no_move_leaves_the_basin(moving):
    data, _ = moving
    found = lowest(data, least_overlap=1.0)
    assert found.accepted == 0
    assert found.complete
    assert found.tried >= 1


def test_both_minima_are_tested_on_the_same_fresh_samples():
    """Those of a plain run."""
    data = draw()
    found = lowest(data)
    again = lowest(data, found.lowest.student, FROM_HERE)
    assert again.lowest.test_error == pytest.approx(found.lowest.test_error, rel=1e-6)


@pytest.mark.parametrize(("options", "message"), [
    ({"least_overlap": 1.5}, "least_overlap must lie in .*1.5"),
    ({"most_moves": 0}, "most_moves must be a positive integer, got 0"),
    ({"progress": 3}, "progress must be .*3"),
    ({"training": "l-bfgs"}, "training must be .*l-bfgs"),
    ({"start": "up"}, "start must be .*'up'"),
    ({"start": np.zeros(3)}, "shape"),
    ({"start": np.zeros(20)}, "ends at a saddle"),
])  # fmt: skip
def test_bad_arguments_are_quoted(options, message):
    data = draw(dimension=20, seed=0)
    with pytest.raises(ValueError, match=message):
        ground_state(data, **{"generator": np.random.default_rng(0), "training": FROM_HERE, **options})


@pytest.mark.parametrize(("model", "dtype", "message"), [
    (AttentionModel(0.3, rank=2), np.float64, "a student of one column"),
    (AttentionModel.paper(omega=0.3), np.float32, "float64.*float32"),
])  # fmt: skip
def test_other_data_are_refused(model, dtype, message):
    data = draw_teacher_data(model, 20, 1.5, np.random.default_rng(0), dtype)
    with pytest.raises(ValueError, match=message):
        ground_state(data, generator=np.random.default_rng(0))


def test_what_is_no_data_is_refused():
    no_data: Any = np.zeros(3)
    with pytest.raises(ValueError, match="data must be a TeacherData"):
        ground_state(no_data, generator=np.random.default_rng(0))
    with pytest.raises(ValueError, match="generator must be"):
        ground_state(draw(dimension=20, seed=0), generator=no_data)


# ------------------------------------------------------------------------------------------------------ files


def test_a_ground_state_is_kept(moving, tmp_path):
    _, found = moving
    path = tmp_path / "new" / "ground_state.nc"
    # An interrupted one, too, and one without moves.
    none = dataclasses.replace(
        found, lowest=found.metastable, losses=found.losses[:1], wrong_wells=found.wrong_wells[:1],
        susceptibilities=found.susceptibilities[:1], complete=False, interrupted=True,
    )  # fmt: skip
    for one in (found, none):
        save_ground_state(one, path)
        read = load_ground_state(path)
        assert read == one
        assert repr(read) == repr(one)
        assert not read.lowest.student.flags.writeable
    data = ground_state_dataset(found)
    assert data.sizes["move"] == found.accepted + 1
    assert data["self_overlap"].sel(minimum="lowest") == found.lowest.self_overlap
    assert all(variable.attrs["units"] == "1" for variable in data.variables.values())
    assert data.attrs["Conventions"].startswith("CF-")


def test_what_is_no_ground_state_is_refused(moving, tmp_path):
    path = tmp_path / "ground_state.nc"
    with pytest.raises(ValueError, match="found must be"):
        save_ground_state(1.0, path)  # pyright: ignore[reportArgumentType]
    save_ground_state(moving[1], path)
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="cannot read"):
        load_ground_state(path)
