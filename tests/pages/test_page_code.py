"""Every page's Python code is run by some test, at smaller settings where the page's own take long.

Pages whose code is short and quick are run as they are by ``test_docs_examples.py`` and others. Here are the first
pages that people copy from: quickly, with the page's settings replaced, and slowly as they are.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pages.page_code import disagreement, pages_with_code, run_page

ROUGH = "tolerance=5e-3"
ROUGH_LINES = f"settings=SolveSettings({ROUGH})"
FEW = "points=3, tolerance=2e-2"
SOLVED = "diagram = solve_phase_diagram(model)"
ROUGH_DIAGRAM = {SOLVED: f"diagram = solve_phase_diagram(model, points=24, {ROUGH})"}
# Pages that go on from the quickstart, with its diagram.
ON = ("docs/branches.md", "docs/lines.md", "docs/figures.md", "docs/reports.md", "docs/outcomes.md")

# Of these, the page whose lines take minutes at their own settings.
ROUGHLY = ("docs/lines.md",)

# Pieces of the code of each page, and what is run instead.
SETTINGS: dict[str, dict[str, str]] = {
    "README.md": {"alpha=(0.01, 3.0)": f"alpha=(1.0, 1.7), points=6, {ROUGH}"},
    "docs/quickstart.md": {
        "alpha=(0.01, 3.0)": f"alpha=(0.01, 3.0), points=24, {ROUGH}",
        "tolerance=2e-5": f"alpha=(1.0, 1.5), points=3, {ROUGH}",
        "import solve_transition_line": "import SolveSettings, solve_transition_line",
        "between=(0.0, 0.5)": f"between=(0.0, 0.5), points=5, {ROUGH_LINES}",
    },
    "docs/branches.md": ROUGH_DIAGRAM,
    "docs/lines.md": {
        **ROUGH_DIAGRAM,
        "import solve_transition_line": "import SolveSettings, solve_transition_line",
        "between=(0.0, 0.5)": f"between=(0.0, 0.5), points=5, {ROUGH_LINES}",
        "points=11": f"points=5, {ROUGH_LINES}",
        "points=7": f"points=3, {ROUGH_LINES}",
        "points=20": f"points=4, {ROUGH_LINES}",
    },
    "docs/figures.md": ROUGH_DIAGRAM,
    "docs/reports.md": ROUGH_DIAGRAM,
    "docs/outcomes.md": {**ROUGH_DIAGRAM, "points=12": f"points=4, {ROUGH}"},
    "docs/continuation.md": {},
    "docs/validation.md": {
        "dimension=1000": "dimension=50",
        "solve_phase_diagram(model)": f"solve_phase_diagram(model, alpha=(1.3, 1.7), {FEW})",
        "ProcessPoolExecutor()": "ProcessPoolExecutor(1)",
        "alphas=(0.5, 1.5, 2.4)": "alphas=(1.5,)",
        "dimensions=(250, 500, 1000)": "dimensions=(40, 60)",
        "seeds=range(100, 112)": "seeds=range(100, 102)",
        "progress=True": "progress=False",
        "draw_teacher_data(model, 1000,": "draw_teacher_data(model, 200,",
    },
    "docs/broken_symmetry.md": {},
    "docs/sweeps.md": {
        "for omega in (0.2, 0.3) for sigma in (0.45, 0.5)": "for omega in (0.3,) for sigma in (0.45, 0.5)",
        "ProcessPoolExecutor()": "ProcessPoolExecutor(1)",
        'folder="diagrams")': f'folder="diagrams", alpha=(1.0, 2.5), points=3, settings=SolveSettings({ROUGH}))',
        "import solve_many": "import SolveSettings, solve_many",
        "[0.48, 0.52]))": "[0.48, 0.52]), alpha=(0.8, 1.5), settings=SolveSettings(tolerance=2e-2))",
    },
    "docs/testing.md": {"max_examples=2": "max_examples=1", "max_examples=5": "max_examples=2"},
    "docs/gallery.md": {
        "solve_phase_diagram(AttentionModel.paper(omega=0.3))": (
            f"solve_phase_diagram(AttentionModel.paper(omega=0.3), points=6, {ROUGH})"
        ),
        "(0.0, 0.5))": f'(0.28, 0.32), transitions=["alpha_c"], points=2, {ROUGH_LINES})',
        "import solve_transition_lines": "import SolveSettings, solve_transition_lines",
        '"alpha_l", "agnostic -> semantic", "semantic -> mixed", "positional -> mixed"]': '"alpha_l"]',
        "alpha=0.9": f"alpha=0.9, points=3, {ROUGH_LINES}",
        "np.linspace(0.1, 0.45, 10)": "np.linspace(0.28, 0.32, 2)",
        "np.linspace(0.3, 0.6, 10)))": "np.linspace(0.48, 0.52, 2)), settings=SolveSettings(tolerance=2e-2))",
    },
    "docs/reproduction.md": {
        "alpha=(0.05, 2.3)": f"alpha=(1.3, 1.7), {FEW}",
        'published_rule_deviation(model, "semantic")': 'published_rule_deviation(model, "semantic", alpha=[1.5])',
    },
    "docs/examples/power_law.md": {
        "solve_phase_diagram(model)": f"solve_phase_diagram(model, alpha=(0.5, 0.7), {FEW})",
        "solve_phase_diagram(sampled_model(model, 500))": (
            f"solve_phase_diagram(sampled_model(model, 60), alpha=(0.5, 0.7), {FEW})"
        ),
        "(1.0, 2.7, 3.0), dimensions=(500, 1000), seeds=range(200, 212)": (
            "(0.6,), dimensions=(40, 60), seeds=range(200, 202)"
        ),
    },
    "docs/examples/unequal_variances.md": {
        "solve_phase_diagram(model)": f"solve_phase_diagram(model, alpha=(2.1, 2.4), {FEW})",
        "(1.0, 2.5, 3.0), dimensions=(500, 1000), seeds=range(200, 212)": (
            "(2.2,), dimensions=(40, 60), seeds=range(200, 202)"
        ),
    },
}
# The other pages with code, and the tests that run it.
ELSEWHERE = {
    "docs/baselines.md": "test_docs_examples.py",
    "docs/derivation.md": "test_docs_examples.py",
    "docs/files.md": "test_files_page.py",
    "docs/general_models.md": "test_docs_examples.py",
    "docs/known_results.md": "test_known_results_page.py",
    "docs/examples/classes.md": "test_docs_examples.py",
    "docs/examples/deep_attention.md": "test_deep_attention_page.py",
    "docs/examples/linear_attention.md": "test_spectra_and_attention_pages.py",
    "docs/examples/phase_retrieval.md": "test_other_losses_pages.py",
    "docs/examples/regression.md": "test_other_losses_pages.py",
    "docs/examples/single_location.md": "test_single_location_page.py",
    "docs/examples/rank_two.md": "test_tokens_and_rank_pages.py",
    "docs/examples/three_tokens.md": "test_tokens_and_rank_pages.py",
}


def test_every_page_with_code_is_run_by_a_test():
    assert pages_with_code() == SETTINGS.keys() | ELSEWHERE.keys()
    assert not SETTINGS.keys() & ELSEWHERE.keys()
    for page, test in ELSEWHERE.items():
        assert Path(page).stem in (Path(__file__).parent / test).read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Pages write files where they are run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_continuation_prints_what_the_page_shows():
    blocks = run_page("docs/continuation.md")
    assert [block.shown is None for block in blocks] == [True, False]
    assert disagreement(blocks[1].printed, blocks[1].shown) is None
    # The page's closed form: the pitchfork is at T log(2/T - 2), here with T = 1/4.
    assert "0.447939867307" in blocks[1].printed


def test_readme_finds_its_transitions(empty_folder):
    (block,) = run_page("README.md", SETTINGS["README.md"])
    assert block.shown is not None
    assert disagreement(block.printed, block.shown, share=2e-3) is None
    assert {"phase_diagram.png", "report"} <= {path.name for path in empty_folder.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        "docs/validation.md",
        "docs/reproduction.md",
        "docs/examples/power_law.md",
        "docs/examples/unequal_variances.md",
    ],
)
def test_code_runs_at_small_settings(page):
    """What these pages print or draw at their own settings takes minutes to hours; other tests check it."""
    assert len(run_page(page, SETTINGS[page])) >= 1


@pytest.mark.slow
def test_laws_of_a_user_s_own_model_hold():
    _, failing, _ = run_page("docs/testing.md", SETTINGS["docs/testing.md"])
    assert failing.shown is not None
    assert disagreement(failing.printed, failing.shown) is None


@pytest.mark.slow
def test_many_models_have_the_transitions_of_the_page():
    _, table, _ = run_page("docs/sweeps.md", SETTINGS["docs/sweeps.md"])
    own = [float(x) for x in re.findall(r"^0\.\d+ +([\d.]+) ", table.printed, flags=re.M)]
    # With one omega, sigma alone is a dimension.
    shown = [float(x) for x in re.findall(r"([\d.]+)  0\.0000\d\d$", table.shown or "", flags=re.M)[2:]]
    assert len(own) == 2
    assert own == pytest.approx(shown, rel=2e-3)


# Where the grid, the number of jumps or the size of an error is shown: for the slow test only.
OF_THE_SETTINGS = ("2.01507 False", "0.41664 0.55272", "0.947944", "bicritical", "{'alpha_c'")
# On a rough rule a sign may stay undecided.
CRITICALITY = re.compile(r"(super|sub)critical ")


WRITTEN = {
    "docs/quickstart.md": {"phase_diagram.png", "phase_diagram.nc", "report"},
    "docs/lines.md": {"lines.png", "lines.nc"},
    "docs/figures.md": {"column.pdf", "mosaic.pdf"},
    "docs/reports.md": {"report", "equations"},
}


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow if page in ROUGHLY else pytest.mark.measurement)
        for page in ("docs/quickstart.md", *ON)
    ],
)
def test_first_pages_run_on_a_rough_rule_and_are_right_to_a_few_per_cent(page, empty_folder):
    for block in run_page(page, SETTINGS[page]):
        if block.shown is not None and not block.shown.startswith(OF_THE_SETTINGS):
            printed, shown = (CRITICALITY.sub("", text) for text in (block.printed, block.shown))
            assert disagreement(printed, shown, share=0.03) is None, block.code
    assert WRITTEN.get(page, set()) <= {x.name for x in empty_folder.iterdir()}


@pytest.mark.slow
def test_the_page_beyond_replica_symmetry_prints_what_it_shows():
    assert_prints_what_it_shows(run_page("docs/broken_symmetry.md"))


@pytest.mark.slow
def test_the_gallery_draws(empty_folder):
    run_page("docs/gallery.md", SETTINGS["docs/gallery.md"])
    drawn = {path.name for path in empty_folder.iterdir()}
    assert {"phase_diagram.png", "one_column.pdf", "lines_omega.png", "plane.png", "map.png"} <= drawn


@pytest.mark.slow
def test_quickstart_prints_what_it_shows():
    assert_prints_what_it_shows(run_page("docs/quickstart.md"))


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.measurement if page in ROUGHLY else pytest.mark.slow) for page in ON],
)
def test_pages_that_go_on_from_the_quickstart_print_what_they_show(page, diagram):
    """Their first block solves the quickstart's diagram: here that of all tests."""
    assert_prints_what_it_shows(run_page(page, {SOLVED: "diagram = given"}, {"given": diagram}))


def assert_prints_what_it_shows(blocks):
    apart = {b.code: disagreement(b.printed, b.shown) for b in blocks if b.shown is not None}
    assert not {code: how for code, how in apart.items() if how}


def test_disagreements_are_seen():
    """The comparison itself: words, digits, errors and counts."""
    assert disagreement("a at 1.2345678 +- 1.1e-05", "a at 1.23457 +- 1.0e-05\n") is None
    assert disagreement("1.24 True", "1.23 True") is None
    assert "1.26" in (disagreement("1.26 True", "1.23 True") or "")
    assert "False" in (disagreement("1.23 False", "1.23 True") or "")
    assert "12" in (disagreement("[12]", "[13]") or "")
    assert "error" in (disagreement("1.0 +- 5e-5", "1.0 +- 1e-5") or "")
    assert "words" in (disagreement("a b", "a") or "")
    assert disagreement("q_1 = 1.03", "q_1 = 1.00", share=0.05) is None
    assert "1.06" in (disagreement("q_1 = 1.06", "q_1 = 1.00", share=0.05) or "")
