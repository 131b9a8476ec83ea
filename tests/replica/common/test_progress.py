"""Where a progress bar is shown: where somebody can watch it, or where it was asked for."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from replica.common.progress import checked_progress, in_notebook, progress_bar, watched


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(progress: bool | None) -> str:
    with progress_bar(3, progress, "solving", "pt") as bar:
        bar.set_description("solving on the grid")
        for _ in range(3):
            bar.update()
        bar.set_postfix_str("now")
    assert isinstance(sys.stderr, io.StringIO)
    return sys.stderr.getvalue()


@pytest.mark.parametrize("progress", [True, None])
def test_a_terminal_has_a_bar_that_is_drawn_over_itself(progress, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert watched()
    text = drawn(progress)
    assert "\r" in text
    assert "3/3" in text


@pytest.mark.parametrize("progress", [False, None])
def test_a_log_has_none_unless_asked(progress, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not watched()
    assert drawn(progress) == ""


def test_a_terminal_has_none_where_none_is_wanted(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert drawn(False) == ""


def test_a_log_that_asks_has_lines_without_carriage_returns(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    text = drawn(True)
    assert "\r" not in text
    assert [line.split(",")[0] for line in text.splitlines()] == [
        "solving: 0 of 3 pt", "solving on the grid: 3 of 3 pt",
    ]  # fmt: skip


def test_without_a_standard_error_nothing_is_drawn(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with progress_bar(3, True, "solving", "pt") as bar:
        bar.update()


def test_a_notebook_is_known_without_importing_ipython(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    for config, expected in (({"IPKernelApp": {}}, True), ({}, False)):
        shell = SimpleNamespace(config=config)
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda shell=shell: shell))
        assert in_notebook() is watched() is expected
    # Without widgets the bar of terminals is drawn, which notebooks understand.
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    shell = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert "3/3" in drawn(None)


@pytest.mark.parametrize("value", [1, "yes", [True]])
def test_what_is_no_choice_is_refused(value):
    with pytest.raises(ValueError, match="progress must be True or False, got"):
        checked_progress(value)
    assert [checked_progress(choice) for choice in (True, False, None)] == [True, False, None]
