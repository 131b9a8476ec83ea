"""What strategies draw is valid, of every kind that they promise, and states lie in the domain of the equations."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from hypothesis import find, given, settings, strategies as st

from replica import AttentionModel, MultiIndexModel
from saddle import SolveSettings
from saddle.averages.state_space import StateSpace
from saddle.testing import (
    Asking,
    askings,
    attention_models,
    lively_models,
    multi_index_models,
    paper_like_models,
    solve_settings,
    states,
    two_token_models,
    wide_models,
    written_models,
)
from saddle.testing.drawn_states import layout_of, statistics

ROOT = Path(__file__).resolve().parents[3]
MODELS = st.one_of(
    two_token_models(), paper_like_models(), lively_models(), wide_models(), attention_models(), written_models(),
    multi_index_models(largest_rank=2),
)  # fmt: skip
QUICK = settings(max_examples=200, database=None)


@settings(max_examples=60)
@given(data=st.data(), model=MODELS)
def test_states_lie_in_the_domain_and_have_no_vanishing_overlap(data, model):
    state = data.draw(states(model))
    space = StateSpace(layout_of(model), ())
    assert state.shape == (space.size,)
    assert space.inside(state, statistics(model)[1])
    assert np.all(state != 0.0)


def test_every_kind_is_drawn():
    kinds = [
        (attention_models(), lambda m: m.sequence_length == 3),
        (attention_models(), lambda m: m.rank == 2 and m.teacher_rank == 2),
        (attention_models(), lambda m: m.spectrum is not None and max(m.spectrum.groups) > 0),
        (attention_models(), lambda m: m.structure.directions == 2),
        (written_models(), lambda m: bool(m.target)),
        (written_models(), lambda m: "Identity" not in m.attention and not m.target),
        (multi_index_models(), lambda m: m.spectrum.sequence_length == 2),
        (multi_index_models(), lambda m: "width" in dict(m.parameters)),
    ]
    for strategy, is_one in kinds:
        assert isinstance(find(strategy, is_one, settings=QUICK), AttentionModel | MultiIndexModel)


@given(first=paper_like_models(1), second=paper_like_models(2))
@settings(max_examples=5)
def test_streams_differ(first, second):
    assert first != second


@given(asking=askings(), chosen=solve_settings())
def test_askings_are_values(asking, chosen):
    assert Asking.from_dict(asking.to_dict()) == asking
    assert asking.alpha[0] <= 0.7 < 1.5 <= asking.alpha[1]
    assert isinstance(chosen, SolveSettings)


def test_without_hypothesis_it_says_what_to_install():
    script = "import sys; sys.modules['hypothesis'] = None; import saddle; import saddle.testing"
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=surroundings, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == (
        "ImportError: saddle.testing draws models by hypothesis, which is not installed: "
        'pip install "attention-phase[test]", or hypothesis alone'
    )


def test_the_wheel_holds_the_package():
    listed = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'packages = ["replica", "baselines", "saddle", "validation"]' in listed
    assert (ROOT / "saddle/testing/__init__.pyi").is_file()
