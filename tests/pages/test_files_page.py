"""The page on files: its code runs without our packages, and its tables have all that files hold."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from replica.quantities.names import order_parameters
from saddle import PhaseDiagram, TransitionLines
from tests.pages.page_code import BLOCK, DOCS, ROOT, disagreement, run_page

PAGE = DOCS / "files.md"
DATA = ROOT / "tests" / "data"
ALONE = """
import sys
import matplotlib
matplotlib.use("Agg")
{code}
import matplotlib.pyplot as plt
plt.savefig("figure.png")
assert not {{"saddle", "replica", "baselines"}} & set(sys.modules)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with files of this version, as the page has them."""
    monkeypatch.chdir(tmp_path)
    PhaseDiagram.load(DATA / "phase_diagram_6.nc").save("phase_diagram.nc")
    TransitionLines.load(DATA / "lines_2.nc").save("lines.nc")
    return tmp_path


def test_plain_xarray_reads_and_draws_files_by_the_names_on_the_page(folder):
    """In a process that finds none of our packages."""
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    first, second, _ = (text for kind, text in blocks if kind == "python")
    # Isolated: no path of ours, no working folder.
    program = ALONE.format(code=f"{first}\n{second}")
    done = subprocess.run([sys.executable, "-I", "-c", program], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    printed, at_03 = done.stdout.rsplit("\n", 2)[:2]
    shown = next(text for kind, text in blocks if kind == "text")
    assert disagreement(printed + "\n", shown, share=1e-3) is None
    assert float(at_03) == pytest.approx(1.2515, rel=2e-2)
    assert (folder / "figure.png").stat().st_size > 5000


def test_the_code_runs_with_our_packages(folder):
    import matplotlib.pyplot as plt

    blocks = run_page("docs/files.md")
    plt.close("all")
    assert disagreement(blocks[-1].printed, blocks[-1].shown, share=1e-2) is None
    assert (folder / "phase_diagram.csv").stat().st_size > 1000


def first_cells(section: str) -> set[str]:
    """Return the names in the first column of a section's table."""
    text = PAGE.read_text(encoding="utf-8").split(f"## {section}\n")[1].split("\n## ")[0]
    return {name for row in re.findall(r"^\| (.*?) \|", text, flags=re.M) for name in re.findall(r"`(\w+)`", row)}


def test_the_tables_list_every_variable_and_no_other():
    diagram = PhaseDiagram.load(DATA / "phase_diagram_6.nc")
    quantities = {quantity.name for quantity in order_parameters(diagram.model.structure.layout)}
    of_order_parameters = {name + end for name in quantities for end in ("", "_error", "_conjugate")}
    variables = set(map(str, diagram.to_dataset().variables))
    assert of_order_parameters <= variables
    assert first_cells("A diagram's variables") - {"self_overlap"} == variables - of_order_parameters
    lines = TransitionLines.load(DATA / "lines_2.nc")
    in_a_plane = {"second", "second_error"}
    assert first_cells("Variables of lines") - in_a_plane == set(map(str, lines.to_dataset().variables))


def test_the_attributes_are_those_of_files():
    attributes = set(PhaseDiagram.load(DATA / "phase_diagram_6.nc").to_dataset().attrs)
    assert first_cells("What the file says of itself") <= attributes | {
        "software", "created", "command", "history", "sha256"
    }  # fmt: skip
