"""LaTeX to PDF with pdflatex, in a folder of its own; the same input gives the same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from replica.common.errors import InvalidArgument

__all__ = ["compiled_pdf", "require_pdflatex"]

# References need a second run, page breaks after them a third.
MOST_RUNS = 4


def require_pdflatex() -> str:
    """Return the path of pdflatex.

    Raises
    ------
    ValueError
        If it is not installed.
    """
    path = shutil.which("pdflatex")
    if path is None:
        raise InvalidArgument(
            "the format 'pdf' needs pdflatex, which is not on the PATH: install texlive-latex-base and "
            "texlive-latex-recommended, or choose 'latex' and compile report.tex elsewhere"
        )
    return path


def compiled_pdf(document: str, files: Mapping[str, bytes]) -> bytes:
    """Compile a document and return the PDF.

    Parameters
    ----------
    document
        The LaTeX source.
    files
        Files that it reads, by name.

    Raises
    ------
    ValueError
        If pdflatex is missing, or stops at an error, which is quoted.
    """
    program = require_pdflatex()
    # Dates and the document's identity would differ from run to run.
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1", "TZ": "UTC"}
    with tempfile.TemporaryDirectory(prefix="attention-phase-report-") as name:
        folder = Path(name)
        (folder / "report.tex").write_text(document, encoding="utf-8")
        for file, content in files.items():
            (folder / file).write_bytes(content)
        for _ in range(MOST_RUNS):
            done = subprocess.run(
                [program, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "report.tex"],
                cwd=folder, env=environment, capture_output=True, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            log = (folder / "report.log").read_text(encoding="utf-8", errors="replace")
            if done.returncode != 0:
                said = [line for line in log.splitlines() if line.startswith(("!", "l."))]
                raise InvalidArgument(f"pdflatex could not compile the report: {' '.join(said[:3]) or log[-300:]!r}")
            if "Rerun to get" not in log and "rerunfilecheck Warning" not in log:
                break
        return (folder / "report.pdf").read_bytes()
