"""Long work tells its stages and their seconds to a logger, and prints nothing."""

import logging
import re

import pytest

from replica import AttentionModel
from replica.common.stages import stage
from saddle import solve_phase_diagram

STAGES = ("choose rule", "follow", "audit", "solve on the grid", "locate first-order transitions",
          "sharpen pitchforks and folds", "locate the baseline's crossing")  # fmt: skip


def test_a_solve_tells_its_stages(caplog, capsys):
    with caplog.at_level(logging.INFO, logger="attention_phase"):
        solve_phase_diagram(AttentionModel.paper(omega=0.3), alpha=(1.0, 1.5), points=2, tolerance=2e-2)
    told = [record.getMessage() for record in caplog.records if record.name == "attention_phase"]
    assert all(re.fullmatch(r".+: \d+\.\d{3} s", text) for text in told)
    assert [text for text in STAGES if not any(line.startswith(f"{text}: ") for line in told)] == []
    assert capsys.readouterr() == ("", "")


def test_a_stage_that_fails_is_told_and_its_error_passes(caplog):
    with caplog.at_level(logging.INFO, logger="attention_phase"), pytest.raises(KeyboardInterrupt), stage("sleep"):
        raise KeyboardInterrupt
    assert caplog.messages[0].startswith("sleep (not finished): ")
