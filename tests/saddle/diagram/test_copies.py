"""What a researcher sends to another process arrives there as it was, and compares."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from replica import AttentionModel, MultiIndexModel, Spectrum, linear_attention
from saddle import PhaseDiagram
from saddle.kernel.kernel import _kernel_again

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.fixture(scope="module")
def objects(diagram) -> dict[str, object]:
    branch = diagram.branches["semantic"]
    point = branch.at(1.5)
    return {
        "diagram": diagram,
        "branch": branch,
        "merged branch": diagram.branches["mixed"],
        "curve": branch.curve,
        "point": point,
        "evaluation": point.evaluation,
        "averages": point.evaluation.averages,
        "replicon": point.replicon(),
        "evolution": point.evolution,
        "channel": point.evolution.channel,
        "kernel": point.evolution.channel.kernel,
        "derivatives": point.evolution.parameter_derivatives(point.evaluation.state, 1.5),
        "transition": diagram.alpha_c,
        "audit": diagram.audit,
        "provenance": diagram.provenance,
        "baseline": diagram.linear_baseline,
    }


NAMES = (
    "diagram", "branch", "merged branch", "curve", "point", "evaluation", "averages", "replicon", "evolution",
    "channel", "kernel", "derivatives", "transition", "audit", "provenance", "baseline",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_copies_are_equal(objects, name):
    one = objects[name]
    for again in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
        assert again == one
        assert hash(again) == hash(one)
        assert again is not one or name == "kernel"


def test_others_are_not_equal(objects, diagram):
    other = PhaseDiagram.load(DATA / "phase_diagram_6.nc")
    assert diagram != other
    assert objects["branch"] != diagram.branches["positional"]
    assert objects["point"] != objects["branch"].at(1.4)
    assert len({diagram, other, copy.deepcopy(diagram)}) == 2


def test_a_copy_solves_as_its_original(objects):
    branch = pickle.loads(pickle.dumps(objects["branch"]))
    assert branch.at(1.5) == objects["point"]


def test_a_loaded_diagram_is_the_saved_one(diagram, tmp_path):
    diagram.save(tmp_path / "diagram.nc")
    loaded = PhaseDiagram.load(tmp_path / "diagram.nc")
    assert loaded == diagram
    assert hash(loaded) == hash(diagram)


def test_objects_travel_to_other_processes_and_back(objects, diagram):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(copy.copy, diagram).result() == diagram
        assert pool.submit(objects["branch"].at, 1.5).result() == objects["point"]


def test_a_kernel_is_found_where_it_was(kernel):
    content, folder = pickle.dumps(kernel), str(kernel.path.parent.parent)
    again = pickle.loads(content)
    assert again == kernel
    assert again.path == kernel.path
    # As on a machine that has no such folder.
    assert pickle.loads(content.replace(folder.encode(), b"x" * len(folder))) == kernel


def test_a_kernel_derived_by_hand_brings_its_text(kernel, tmp_path):
    text = kernel.path.read_text().rpartition("# sha256")[0]
    content = pickle.dumps(_kernel_again(text, tmp_path))
    by_hand = pickle.loads(content)
    assert by_hand.made_of == text
    assert by_hand != kernel
    assert by_hand.symmetries == kernel.symmetries
    by_hand.path.unlink()
    del sys.modules[by_hand.path.stem]
    assert pickle.loads(content) == by_hand
    assert by_hand.path.is_file()


MODELS = {
    "paper": AttentionModel.paper(omega=0.3),
    "rank two": AttentionModel.paper(rank=2),
    "linear": AttentionModel(omega=0.3, attention=linear_attention(), target=linear_attention()),
    "spectrum": AttentionModel(omega=0.3, spectrum=Spectrum.isotropic(0.25, 0.16)),
    "ridge": MultiIndexModel(lambda z, y: (y[0] - z[0]) ** 2 / 2, 0.1),
    "noisy": MultiIndexModel(
        lambda z, y: (y[0] - z[0]) ** 2 / 2, 0.1, outputs=lambda h, xi: [h[0] + xi[0] / 2], noise=1
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_of_every_kind_travel(name):
    model = MODELS[name]
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert again == model
        assert hash(again) == hash(model)
