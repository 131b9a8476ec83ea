"""Functions over lanes as machine code: called by C's rules, compiled once by many threads, kept with a checksum."""

from __future__ import annotations

import ctypes
import hashlib
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numba
import numpy as np
import pytest

from saddle.kernel import machine_code
from saddle.kernel.machine_code import OverLanes
from saddle.kernel.model_tuples import Functions, Sizes
from saddle.kernel.module_files import kept_module
from saddle.kernel.numerics_text import numerics_source

TEXT = '''
from saddle.kernel.machine_code import OverLanes as over_lanes


@over_lanes
def weigh(count, work, line, state, parameters):
    """Write to every lane what depends on all arguments."""
    for i in range(count):
        work[i] = line[0] * work[i] + state[1] / (i + 1) - parameters[2]
    return count + 1


def plainly(count, work, line, state, parameters):
    for i in range(count):
        work[i] = line[0] * work[i] + state[1] / (i + 1) - parameters[2]
    return count + 1
'''
THREADS = 8
LINE, STATE, PARAMETERS = np.array([0.3]), np.array([0.0, 1.7]), np.array([0.0, 0.0, 0.11])


def module(folder: Path):
    """Import the functions as those of a kernel are imported, under a name of their own."""
    key = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    sys.modules.pop(f"lanes_{key}", None)
    return kept_module("lanes", key, folder, lambda: TEXT)[1]


@pytest.fixture
def functions(tmp_path):
    found = module(tmp_path)
    yield found
    del sys.modules[found.__name__]


def written(function, count: int = 5) -> np.ndarray:
    """What a function writes to a workspace of seven lanes."""
    work = np.linspace(-1.0, 1.0, 7)
    assert function(count, work, LINE, STATE, PARAMETERS) == count + 1
    return work


def test_machine_code_does_what_its_function_does(functions):
    np.testing.assert_array_max_ulp(written(functions.weigh), written(functions.plainly), maxulp=2)
    # Lanes beyond the count are left alone.
    np.testing.assert_array_equal(written(functions.weigh, 0), np.linspace(-1.0, 1.0, 7))


def test_its_address_is_one_that_c_can_call(functions):
    pointer = ctypes.POINTER(ctypes.c_double)
    called = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, *[pointer] * 4)(functions.weigh.address)

    def through_c(count, *arrays):
        return called(count, *(x.ctypes.data_as(pointer) for x in arrays))

    np.testing.assert_array_equal(written(through_c), written(functions.weigh))


@pytest.mark.parametrize("spoil", [lambda x: x.astype(np.float32), lambda x: np.repeat(x, 2)[::2]])
def test_arrays_of_another_kind_are_refused(functions, spoil):
    with pytest.raises(TypeError, match="weigh must be contiguous and of doubles"):
        functions.weigh(1, spoil(np.ones(4)), LINE, STATE, PARAMETERS)


class Slow(machine_code.CFunc):
    """Compiles after all threads had time to come, and counts how often."""

    begun: ClassVar[list[str]] = []

    def compile(self):
        self.begun.append(self.__name__)
        threading.Event().wait(0.2)
        super().compile()


@pytest.fixture
def slow(monkeypatch) -> list[str]:
    monkeypatch.setattr(machine_code, "CFunc", Slow)
    monkeypatch.setattr(Slow, "begun", [])
    return Slow.begun


def test_threads_that_need_it_first_at_the_same_time_compile_it_once(functions, slow):
    barrier = threading.Barrier(THREADS)

    def ask(_: int) -> int:
        barrier.wait()
        return functions.weigh.address

    with ThreadPoolExecutor(THREADS) as pool:
        addresses = set(pool.map(ask, range(THREADS)))
    assert slow == ["weigh"]
    assert len(addresses) == 1
    assert addresses.pop()


def test_a_compilation_that_failed_leaves_nothing_behind_and_is_tried_again(functions, monkeypatch):
    class Failing(machine_code.CFunc):
        def compile(self):
            raise MemoryError("interrupted")

    with monkeypatch.context() as patch:
        patch.setattr(machine_code, "CFunc", Failing)
        for _ in range(2):
            with pytest.raises(MemoryError):
                functions.weigh.address  # noqa: B018
    np.testing.assert_array_max_ulp(written(functions.weigh), written(functions.plainly), maxulp=2)


def test_code_on_disk_is_read_and_damaged_code_compiled_again(functions, tmp_path):
    first = written(functions.weigh)
    (file,) = tmp_path.rglob("*.nbc")
    whole = file.read_bytes()

    def again() -> tuple[np.ndarray, int]:
        function = module(tmp_path).weigh
        return written(function), function._callback.cache_hits

    np.testing.assert_array_equal(again()[0], first)
    assert again()[1] == 1
    file.write_bytes(whole[:-100])
    values, hits = again()
    np.testing.assert_array_equal(values, first)
    assert hits == 0
    # And it is kept whole.
    assert again()[1] == 1


PAIRS = """
from collections import namedtuple

from saddle.kernel.machine_code import entry_point

Pair = namedtuple("Pair", "a b")
Other = namedtuple("Other", "a b")


@entry_point
def difference(model):
    pair, other = model
    return pair.a * {factor} - other.b


def found():
    return difference((Pair(3, 4.0), Other(1.0, 2))), sum(difference.stats.cache_hits.values())
"""


def test_code_that_names_classes_of_another_module_is_read_or_compiled_again_where_that_is_not(tmp_path):
    """Numba knows a tuple of named tuples by names alone: those of the module that came first."""

    def imported(factor: int):
        key = f"{factor}{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:15]}"
        sys.modules.pop(f"pairs_{key}", None)
        return kept_module("pairs", key, tmp_path, lambda: PAIRS.format(factor=factor))[1]

    first, second = imported(2), imported(3)
    assert (first.found()[0], second.found()[0]) == (4, 7)
    for module_of_text in (first, second):
        del sys.modules[module_of_text.__name__]
    assert imported(3).found()[0] == 7


def test_numerics_of_all_numbers_of_fields_are_told_of_models_by_the_same_classes(tmp_path, kernel):
    """So the case above is none of theirs."""
    one, three = (
        kept_module("numerics", f"{fields}" * 16, tmp_path, lambda n=fields: numerics_source(n))[1] for fields in (1, 3)
    )
    own = {name for name, x in vars(three).items() if isinstance(x, type) and x.__module__ == three.__name__}
    # What these are is made and used within a call: models are arguments.
    assert "Problem" in own
    assert not own & {"Sizes", "Functions"}
    assert (one.N_FIELDS, three.N_FIELDS) == (1, 3)
    model = kernel.lines._model("newton_sweeps")
    assert tuple(map(type, model)) == (Sizes, Functions)


def test_nothing_that_is_to_be_removed_from_numba_is_used(functions):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written(functions.weigh)
        numerics = {"call": machine_code.call, "namedtuple": __import__("collections").namedtuple, "numba": numba}
        exec(CALLER, numerics)
        problem = numerics["Problem"](LINE, STATE, PARAMETERS)
        caller = numerics["through_numerics"]

        def through_numerics(count, work, *_):
            return caller(functions.weigh.address, count, work, problem)

        np.testing.assert_array_equal(written(through_numerics), written(functions.weigh))


CALLER = """
Problem = namedtuple("Problem", "line state parameters")


@numba.njit
def through_numerics(address, count, work, problem):
    return call(address, count, work, problem)
"""


def test_an_object_is_a_function_over_lanes_by_its_name():
    def named(count, work, line, state, parameters):
        """Do nothing."""
        return 0

    made = OverLanes(named)
    assert (made.__name__, made.__doc__) == ("named", "Do nothing.")
