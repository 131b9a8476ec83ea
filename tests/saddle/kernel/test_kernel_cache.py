"""The kernel cache: a warm start without SymPy, damage never trusted, folders that cannot be written, two processes."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from replica import AttentionModel
from replica.equations.free_entropy import build_free_entropy
from replica.quantities.structure import ModelStructure
from replica.symmetry.finding import find_symmetries
from saddle.averages.parameters import parameter_vector
from saddle.kernel import cache_folder as cache_folder_module, kernel as kernel_module, key as kernel_key
from saddle.kernel.cache_folder import CACHE_VARIABLE, cache_folder
from saddle.kernel.kernel import Kernel, load_kernel

# One cheap entry point: what is tested does not depend on which.
CALL = """
import sys, numpy
from saddle.kernel.kernel import load_kernel
from saddle.state_evolution.prior import parameter_vector
from replica import AttentionModel
kernel = load_kernel()
values = kernel.module.overlaps(0.3, 0.2, 0.1, 0.05, parameter_vector(AttentionModel.paper()))
print(*(value.hex() for value in values))
print(kernel.path)
"""
SLOW_IMPORTS = ("sympy", "matplotlib", "xarray", "scipy.optimize", "scipy.linalg", "tqdm")


def environment(cache: Path) -> dict[str, str]:
    return {**os.environ, CACHE_VARIABLE: str(cache)}


def start(code: str, cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "always", "-c", code],
        env=environment(cache), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[list[str], str]:
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output.splitlines(), errors


def run(code: str, cache: Path) -> tuple[list[str], str]:
    return finish(start(code, cache))


def overlaps(kernel: Kernel) -> tuple[float, ...]:
    return kernel.module.overlaps(0.3, 0.2, 0.1, 0.05, parameter_vector(AttentionModel.paper()))


def forget(kernel: Kernel) -> None:
    """Let the next load be that of a new process."""
    del sys.modules[kernel.module.__name__]


def reload(kernel: Kernel, cache: Path) -> Kernel:
    forget(kernel)
    return load_kernel(cache=cache)


@pytest.fixture(scope="module")
def derived_text() -> str:
    return kernel_module._derived_text(ModelStructure())


@pytest.fixture
def derivations(derived_text, monkeypatch) -> list[ModelStructure]:
    """Record what is derived, and derive it but once for all tests."""
    record = []

    def derive(structure: ModelStructure) -> str:
        record.append(structure)
        return derived_text

    monkeypatch.setattr(kernel_module, "_derived_text", derive)
    return record


@pytest.fixture(autouse=True)
def _known_kernels():
    """Other tests' kernels stay known by their names: what they compile is kept under these."""
    before = dict(sys.modules)
    yield
    for name in [name for name in sys.modules if name.startswith("kernel_")]:
        del sys.modules[name]
    sys.modules.update({name: module for name, module in before.items() if name.startswith("kernel_")})


@pytest.fixture
def cached(derivations, tmp_path) -> Kernel:
    """A kernel with one compiled function in a folder of its own."""
    return load_kernel(cache=tmp_path / "cache")


@pytest.fixture(scope="module")
def cold(tmp_path_factory) -> tuple[Path, list[tuple[list[str], str]]]:
    """An empty folder on which two processes started at once, and what they printed."""
    cache = tmp_path_factory.mktemp("two") / "cache"
    processes = [start(CALL, cache) for _ in range(2)]
    return cache, [finish(process) for process in processes]


def compiled_files(kernel: Kernel) -> list[Path]:
    return sorted(kernel.path.parent.glob("*.nbc"))


def test_two_processes_at_once_agree_and_leave_one_whole_kernel(cold, kernel):
    cache, results = cold
    for (numbers, path), errors in results:
        assert [float.fromhex(x) for x in numbers.split()] == pytest.approx(overlaps(kernel), rel=1e-14)
        assert Path(path).is_relative_to(cache)
        assert errors == ""
    assert results[0][0][0] == results[1][0][0]
    files = [path.name for path in cache.rglob("*") if path.is_file()]
    assert len(files) == 2, files
    assert not any("tmp" in name for name in files)


def test_a_cached_kernel_starts_without_sympy_and_compiles_nothing(cold):
    cache, results = cold
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    code = f"{CALL}\nprint([name for name in {SLOW_IMPORTS!r} if name in sys.modules])"
    code += "\nprint(sum(kernel.module.overlaps.stats.cache_misses.values()))"
    (numbers, _, slow, misses), errors = run(code, cache)
    assert numbers == results[0][0][0]
    assert slow == "[]"
    assert misses == "0"
    assert errors == ""
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*")} == before


def test_importing_the_solver_imports_nothing_slow(tmp_path):
    code = "import sys, saddle.state_evolution.state_evolution\nfrom saddle import LineRule, Sector"
    (slow,), _ = run(f"{code}\nprint([name for name in {SLOW_IMPORTS!r} if name in sys.modules])", tmp_path)
    assert slow == "[]"


def test_a_function_that_is_not_in_the_cache_is_compiled_beside_one_that_is(cold):
    # NOTE: compiled code is loaded without most of Numba's start-up, which a later compilation must not miss.
    cache, _ = cold
    parameters = "parameter_vector(AttentionModel.paper())"
    code = f"{CALL}\nprint(kernel.module.weight_precision(0.3, 0.2, 0.1, 0.05, {parameters}))"
    (*_, precision), errors = run(code, cache)
    assert float(precision) > 0
    assert errors == ""


def test_a_sweep_over_parameters_compiles_nothing(kernel):
    values = [
        kernel.module.overlaps(0.3, 0.2, 0.1, 0.05, parameter_vector(model))
        for model in (
            AttentionModel.paper(),
            AttentionModel(1, 2, 1),
            AttentionModel(0.9, 0.7, 0.1, ((1, 0), (0, 1)), (1, 1)),
        )
    ]
    assert len(set(values)) == 3
    assert len(kernel.module.overlaps.signatures) == 1
    folder = kernel.path.parent
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    for omega in np.linspace(0, 1, 5):
        model = AttentionModel(omega, sigma=0.3 + omega, regularization=0.1 + omega)
        assert load_kernel(model.structure).module is kernel.module
        kernel.module.overlaps(0.3, 0.2, 0.1, 0.05, parameter_vector(model))
    assert len(kernel.module.overlaps.signatures) == 1
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_the_variable_names_the_folder(derivations, tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "chosen"))
    kernel = load_kernel()
    assert kernel.path.is_relative_to(tmp_path / "chosen")
    overlaps(kernel)
    assert len(compiled_files(kernel)) == 1
    # Numba's own cache files, which carry no checksum, are not in use.
    assert not list(tmp_path.rglob("*.nbi"))
    forget(kernel)


def damaged(content: bytes) -> dict[str, bytes]:
    half = len(content) // 2
    return {
        "empty": b"",
        "truncated": content[:half],
        "without its end": content[:-1],
        "one bit changed": content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :],
        "longer": content + b"\n",
    }


DAMAGES = sorted(damaged(b"something"))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_text_is_derived_again(damage, cached, derivations, tmp_path):
    intact = cached.path.read_bytes()
    cached.path.write_bytes(damaged(intact)[damage])
    again = reload(cached, tmp_path / "cache")
    assert len(derivations) == 2
    assert again.path.read_bytes() == intact


def test_an_edited_text_is_derived_again(cached, derivations, tmp_path):
    text = cached.path.read_text()
    cached.path.write_text(text.replace("import math", "import math\nedited = True", 1))
    again = reload(cached, tmp_path / "cache")
    assert len(derivations) == 2
    assert not hasattr(again.module, "edited")
    assert again.path.read_text() == text


def test_a_text_of_another_key_is_not_trusted(cached, derivations, tmp_path, monkeypatch):
    monkeypatch.setattr(kernel_module, "structure_key", lambda structure: "another-key")
    other = load_kernel(cache=tmp_path / "cache")
    other.path.write_bytes(cached.path.read_bytes())
    reload(other, tmp_path / "cache")
    assert len(derivations) == 3
    forget(other)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_machine_code_is_compiled_again(damage, cached, tmp_path):
    right = overlaps(cached)
    (file,) = compiled_files(cached)
    file.write_bytes(damaged(file.read_bytes())[damage])
    again = reload(cached, tmp_path / "cache")
    assert overlaps(again) == right
    assert sum(again.module.overlaps.stats.cache_misses.values()) == 1
    # What was compiled has replaced what was damaged.
    assert compiled_files(again) == [file]
    again = reload(again, tmp_path / "cache")
    assert overlaps(again) == right
    assert sum(again.module.overlaps.stats.cache_hits.values()) == 1


def test_what_a_forgotten_kernel_compiles_is_not_kept(cached):
    # Its machine code would name no module, and could not be loaded in another process.
    forget(cached)
    right = overlaps(cached)
    assert not compiled_files(cached)
    again = load_kernel(cache=cached.path.parents[1])
    assert overlaps(again) == right
    assert len(compiled_files(again)) == 1


def test_machine_code_of_another_function_is_not_trusted(cached, tmp_path):
    right = overlaps(cached)
    (file,) = compiled_files(cached)
    cached.module.weight_precision(0.3, 0.2, 0.1, 0.05, parameter_vector(AttentionModel.paper()))
    (other,) = set(compiled_files(cached)) - {file}
    file.write_bytes(other.read_bytes())
    assert overlaps(reload(cached, tmp_path / "cache")) == right


@pytest.mark.parametrize("name", ["python", "numba", "llvmlite", "numpy", "sympy"])
def test_the_key_changes_with_every_version(name, monkeypatch):
    key = kernel_key.structure_key.__wrapped__
    now, versions = key(ModelStructure()), kernel_key.versions()
    monkeypatch.setattr(kernel_key, "versions", lambda: {**versions, name: "0.0"})
    assert key(ModelStructure()) != now


def test_the_key_changes_with_structure_and_sources(monkeypatch):
    key = kernel_key.structure_key.__wrapped__
    now, files = key(ModelStructure()), list(kernel_key.source_files())
    assert key(ModelStructure()) == now
    assert key(ModelStructure(sequence_length=3)) != now
    assert key(ModelStructure(rank=2)) != now
    names = [name for name, _ in files]
    assert {"replica/equations/free_entropy.py", "saddle/kernel/text.py"} <= set(names)
    for k, (name, content) in enumerate(files):
        changed = [*files[:k], (name, content + b"\n"), *files[k + 1 :]]
        monkeypatch.setattr(kernel_key, "source_files", lambda changed=changed: changed)
        assert key(ModelStructure()) != now, name


def test_the_key_of_numerics_changes_with_the_number_of_fields_and_their_sources(monkeypatch):
    key, below = kernel_key.numerics_key.__wrapped__, kernel_key._files_below
    now, files = key(2), below("saddle/kernel")
    assert key(3) != now
    assert "saddle/kernel/numerics/average.py" in dict(files)
    for k, (name, content) in enumerate(files):
        changed = [*files[:k], (name, content + b"\n"), *files[k + 1 :]]
        monkeypatch.setattr(kernel_key, "_files_below", lambda folder, changed=changed: changed)
        assert key(2) != now, name


@pytest.mark.slow
def test_kernels_of_as_many_fields_share_their_numerics(kernel):
    others = [
        AttentionModel.paper(rank=2),
        AttentionModel.paper(omega=0.7),
        AttentionModel(0.3, positional_matrix=np.eye(4), positional_encoding=(1.0, 0.5, -0.5, -1.0)),
    ]
    two_columns, same, four_tokens = (load_kernel(model.structure).lines.numerics for model in others)
    assert same is kernel.lines.numerics is not four_tokens
    assert two_columns is four_tokens


def test_numbers_are_no_structure():
    assert AttentionModel.paper().structure == AttentionModel(1.0, 2.0, 3.0).structure == ModelStructure()


@pytest.mark.parametrize("values", [{"sequence_length": 1}, {"rank": 0}, {"rank": 1.5}, {"sequence_length": "2"}])
def test_an_impossible_structure_is_refused(values):
    (value,) = values.values()
    with pytest.raises(ValueError, match=repr(value)):
        ModelStructure(**values)


def test_a_default_folder_that_cannot_be_written_warns_once(derivations, tmp_path, monkeypatch):
    obstacle = tmp_path / "file"
    obstacle.write_text("in the way")
    monkeypatch.setattr(cache_folder_module, "_has_warned", False)
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda _: str(obstacle / "cache"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        kernel = load_kernel()
        overlaps(kernel)
        assert load_kernel() == kernel
        monkeypatch.setenv(CACHE_VARIABLE, str(obstacle / "elsewhere"))
        assert load_kernel() == kernel
    assert [str(warning.message).startswith(f"cannot write {obstacle}") for warning in caught] == [True]
    assert compiled_files(kernel)
    assert len(derivations) == 1
    forget(kernel)


def test_a_named_folder_that_cannot_be_written_warns_once_and_works(tmp_path):
    obstacle = tmp_path / "file"
    obstacle.write_text("in the way")
    (numbers, path), errors = run(f"{CALL}\nload_kernel()", obstacle / "cache")
    assert len(numbers.split()) == 4
    assert errors.count("Warning") == 1
    assert str(obstacle) in errors
    # The temporary folder goes with its process.
    assert not Path(path).exists()


def test_a_chosen_folder_that_cannot_be_written_is_refused(derivations, tmp_path):
    obstacle = tmp_path / "file"
    obstacle.write_text("in the way")
    for refuse in (cache_folder, lambda folder: load_kernel(cache=folder)):
        with pytest.raises(ValueError, match=str(obstacle)):
            refuse(obstacle / "cache")
    assert not derivations


def test_a_folder_that_cannot_be_written_is_used_for_what_it_holds(cached, derivations, tmp_path, monkeypatch):
    right = overlaps(cached)

    def refuse(*_, **__):
        raise PermissionError(30, "Read-only file system")

    def open_for_reading(path: Path, mode: str = "r", *arguments, **options):
        return open(path, mode, *arguments, **options) if set(mode) <= set("rbt") else refuse()

    # NOTE: not by permission bits, which do not bind a superuser.
    monkeypatch.setattr(Path, "open", open_for_reading)
    monkeypatch.setattr(cache_folder_module.tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(cache_folder_module, "_has_warned", False)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    forget(cached)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = load_kernel()
        assert overlaps(again) == right
    assert again.path == cached.path
    assert len(derivations) == 1
    # A function that is not there is compiled, for this process only.
    with pytest.warns(UserWarning, match="will not be kept"):
        again.module.weight_precision(0.3, 0.2, 0.1, 0.05, parameter_vector(AttentionModel.paper()))
    assert len(compiled_files(again)) == 1


def test_symmetries_come_from_the_text(cached):
    kept, found = cached.symmetries, find_symmetries(build_free_entropy())
    # All but the names of what acts by signs.
    assert [x.signs for x in kept.reversals] == [x.signs for x in found.reversals]
    assert dataclasses.replace(kept, reversals=found.reversals) == found
    assert "SIGN_SYMMETRIES = {'student': True" in cached.path.read_text()
