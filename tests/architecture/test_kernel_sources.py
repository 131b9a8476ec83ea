"""The key of a kernel covers every file that takes part in deriving and printing it, and no other."""

import subprocess
import sys

from saddle.kernel import key

PRINT_A_KERNEL = """
import sys
from replica import AttentionModel
import saddle.kernel.kernel as kernel
kernel._derived_text(AttentionModel.paper().structure)
print("\\n".join(sorted(name for name in sys.modules if name.split(".")[0] in ("replica", "saddle", "baselines"))))
"""
# They only say what is where, and whether it is ours.
EXPORTS = {"replica", "saddle", "baselines"}


def test_every_module_that_derives_a_kernel_is_keyed():
    printed = subprocess.run([sys.executable, "-c", PRINT_A_KERNEL], check=True, capture_output=True, text=True).stdout
    keyed = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name, _ in key.source_files()}
    missing = set(printed.split()) - keyed - EXPORTS
    assert not missing


def test_reports_and_checks_throw_no_kernel_away():
    names = [name for name, _ in key.source_files()]
    assert len(names) == len(set(names)) > 50
    assert not [name for name in names if name.split("/")[1] in ("reports", "checks", "steps", "output", "diagram")]
