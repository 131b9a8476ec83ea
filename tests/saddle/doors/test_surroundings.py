"""The process around us changes no number: not its error state, hash seed, processors, homes or figures' settings."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import saddle
from replica import AttentionModel
from replica.common.version import library_version
from saddle.cli import main
from saddle.diagram.rule_choice import choose_rule
from saddle.kernel.cache_folder import CACHE_VARIABLE, cache_folder, preferred_folder

ROOT = Path(__file__).resolve().parents[3]

NUMBERS = """
import numpy as np
from baselines import BASELINES
from replica import AttentionModel, Spectrum
from saddle import LineRule, StateEvolution, find_point
from validation import Training, draw_teacher_data, pass_bayes_messages, train_student

def show(*values):
    print(*(float(x).hex() for value in values for x in np.ravel(value)))

model = AttentionModel.paper()
evolution = StateEvolution(model, LineRule.for_tolerance(1e-2))
for state in ((0.1, 0.1, 10.0, 0.05), (1.0, 0.0, 1.0, 0.0), (40.0, 0.3, 0.1, 0.2)):
    here = evolution.evaluate(state, 0.1)
    show(here.full_residual, here.full_jacobian, here.free_entropy, here.train_loss, here.test_error)
    show(here.averages.relative_error)
slopes = evolution.parameter_derivatives((0.1, 0.1, 10.0, 0.05), 1.2)
show(slopes.residual, slopes.free_entropy, slopes.test_error)
for family in ("agnostic", "positional", "semantic"):
    point = find_point(evolution, family, 2.0)
    show(list(point.order_parameters.values()), list(point.error.values()))
for baseline in BASELINES.values():
    show(baseline(model).test_error_at(0.3))
wide = AttentionModel(0.2, spectrum=Spectrum.isotropic(0.01, 100.0))
show(BASELINES["linear positional"](wide).test_error, BASELINES["uniform attention"](wide).test_error)
data = draw_teacher_data(model, 8, 2.0, np.random.default_rng(1))
training = Training(steps=20, polish=True, test_samples=50)
run = train_student(data, generator=np.random.default_rng(2), training=training)
show(run.train_loss, run.test_error, list(run.overlaps.values()))
show(pass_bayes_messages(1.0, 20, 2, 0, iterations=5).teacher_overlap)
"""

RAISING = "import numpy; numpy.seterr(all='raise')\n"
ONE_PROCESSOR = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
ODD_FIGURES = "text.usetex: True\naxes.grid: True\nfont.size: 30\nsvg.fonttype: none\nlines.linewidth: 9\n"
HOMES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "USER", "LOGNAME")


def run(script: str, *options: str, without: tuple[str, ...] = (), **variables: str) -> str:
    """Return what a script prints in a process of its own, with our kernels."""
    surroundings = {name: value for name, value in os.environ.items() if name not in without}
    own = {CACHE_VARIABLE: str(preferred_folder()), "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
    command = [sys.executable, *options, "-c", script]
    done = subprocess.run(command, env={**surroundings, **own, **variables}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def numbers() -> str:
    printed = run(NUMBERS)
    assert len(printed.split()) > 100
    return printed


def test_numpy_s_error_state_changes_no_number(numbers):
    assert run(RAISING + NUMBERS) == numbers


def test_the_hash_seed_changes_no_number(numbers):
    assert run(NUMBERS, PYTHONHASHSEED="1234") == numbers


def test_optimised_python_changes_no_number(numbers):
    assert run(NUMBERS, "-O") == numbers


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors cannot be chosen here")
def test_one_processor_changes_no_number(numbers):
    assert run(ONE_PROCESSOR + NUMBERS, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1") == numbers


def test_a_missing_home_changes_no_number(numbers):
    assert run(NUMBERS, without=HOMES) == numbers


def test_settings_of_figures_change_no_number(numbers, tmp_path):
    odd = tmp_path / "matplotlibrc"
    odd.write_text(ODD_FIGURES)
    assert run(NUMBERS, MATPLOTLIBRC=str(odd), MPLBACKEND="svg") == numbers


def test_numpy_s_error_state_is_left_as_it_was():
    with np.errstate(all="raise"):
        before = np.geterr()
        with pytest.raises(ValueError, match="tolerance"):
            choose_rule(AttentionModel.paper(), 1.0, 1.0)
        assert np.geterr() == before


def test_a_user_without_a_home_gets_a_temporary_cache(monkeypatch):
    def nowhere(*_: object, **__: object) -> str:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    monkeypatch.setattr("platformdirs.user_cache_dir", nowhere)
    monkeypatch.setattr("saddle.kernel.cache_folder._has_warned", False)
    with pytest.warns(UserWarning, match="home"):
        folder = cache_folder(key="kernel")
    assert folder.is_dir()
    assert folder.parent == preferred_folder()


A_DAY_S_WORK = """
import replica, saddle, baselines, validation
from saddle.cli import main
from saddle.kernel.cache_folder import cache_folder
from saddle.output.figures.shown_figure import ShownFigure
print(replica.__version__ == saddle.__version__ == baselines.__version__ == validation.__version__ != "")
main(["--version"], standalone_mode=False)
print(ShownFigure()._repr_png_()[:4], cache_folder().is_dir())
"""
ANOTHER_USER = ("unshare", "--user", "--map-user=54321")


def test_another_user_without_a_home_can_do_everything(tmp_path):
    command = [sys.executable, "-c", A_DAY_S_WORK]
    if shutil.which("unshare") and subprocess.run([*ANOTHER_USER, "true"], capture_output=True).returncode == 0:
        command = [*ANOTHER_USER, *command]
    surroundings = {name: value for name, value in os.environ.items() if name not in (*HOMES, CACHE_VARIABLE)}
    done = subprocess.run(
        command, env={**surroundings, "PYTHONPATH": str(ROOT)}, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    first, version, last = done.stdout.splitlines()
    assert first == "True"
    assert version.endswith(f"version {saddle.__version__}")
    assert last == "b'\\x89PNG' True"
    assert not list(tmp_path.iterdir())


def test_a_library_that_was_not_installed_has_a_version(monkeypatch):
    def nowhere(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", nowhere)
    assert library_version.__wrapped__() == "0+unknown"


def test_the_module_is_the_command(tmp_path):
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    module = [sys.executable, "-m", "saddle"]
    asked = ["solve", "--alpha", "0", "1", "--output", str(tmp_path)]
    done = subprocess.run([*module, *asked], env=surroundings, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == CliRunner().invoke(main, asked).stderr


@pytest.mark.parametrize("name", ["baselines", "validation"])
def test_a_script_that_hides_a_package_is_named(name, tmp_path):
    (tmp_path / f"{name}.py").write_text("import saddle\nprint('ran')\n")
    script = tmp_path / "script.py"
    script.write_text("import saddle\nfrom saddle import LineRule\nprint('ran')\n")
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    for path in (script, tmp_path / f"{name}.py"):
        done = subprocess.run([sys.executable, str(path)], env=surroundings, capture_output=True, text=True)
        said = done.stderr.strip().splitlines()
        assert any(str(tmp_path / f"{name}.py") in line and "rename it" in line for line in said), said
        # What is not needed yet is a warning.
        assert ("ran" in done.stdout) == (name == "validation")


@pytest.mark.parametrize(("hiding", "imported"), [
    ("replica", "saddle"), ("replica", "baselines"), ("replica", "validation"), ("saddle", "validation"),
    ("baselines", "validation"), ("saddle", "replica"),
])  # fmt: skip
def test_a_script_that_hides_what_a_package_needs_is_named(hiding, imported, tmp_path):
    """In the last case nothing is missing yet, so that it is a warning."""
    (tmp_path / f"{hiding}.py").write_text("print('the user's own')\n")
    script = tmp_path / "script.py"
    script.write_text(f"import {imported}\nprint('ran')\n")
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, str(script)], env=surroundings, capture_output=True, text=True)
    said = done.stderr.strip().splitlines()
    assert any(str(tmp_path / f"{hiding}.py") in line and "rename it" in line for line in said), said
    needed = imported != "replica"
    assert said[-1].partition(":")[0].endswith(("ImportError", "HiddenPackage")) == needed
    assert done.stdout == ("" if needed else "ran\n")


@pytest.mark.slow
def test_a_diagram_and_its_report_are_the_same_anywhere(tmp_path):
    script = """
import hashlib, pathlib, sys
from replica import AttentionModel
from saddle import solve_phase_diagram
diagram = solve_phase_diagram(AttentionModel.paper(), (1.0, 1.6), points=4, tolerance=1e-2)
for transition in diagram.transitions.values():
    print(transition.alpha.hex(), transition.error.hex())
for path in sorted(diagram.report(sys.argv[1])):
    print(path.name, hashlib.sha256(path.read_bytes()).hexdigest())
""".replace("sys.argv[1]", "FOLDER")
    odd = tmp_path / "matplotlibrc"
    odd.write_text(ODD_FIGURES)
    plain = run(script.replace("FOLDER", repr(str(tmp_path / "plain"))))
    strange = RAISING + ONE_PROCESSOR + script.replace("FOLDER", repr(str(tmp_path / "strange")))
    assert "report.html" in plain
    assert run(strange, "-O", without=HOMES, PYTHONHASHSEED="99", MATPLOTLIBRC=str(odd)) == plain
