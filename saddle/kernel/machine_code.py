"""Machine code on disk, beside the kernel that it was compiled from.

Numba's own files carry no checksum: a truncated one raises whatever unpickling half a file raises, at the first
call, and a damaged one is executed. Its index, one per function, is also a race: two processes that compile two
signatures at once may end with one signature's code under the other's name. Here every signature of a function
has a file of its own, named after all that it depends on, that begins with its checksum; what fails the check
counts as absent and is compiled again.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.compiler import CompileResult
from numba.core.runtime.nrt import rtsys
from numba.core.serialize import dumps
from numba.extending import intrinsic

from replica.common.files import write_atomically
from replica.common.stages import told
from saddle.kernel.cache_folder import warn_unwritable

__all__ = ["OverLanes", "call", "entry_point"]

PLAIN: dict[str, Any] = {"error_model": "numpy", "nogil": True, "_nrt": False, "no_cfunc_wrapper": True}
DOUBLES = ctypes.POINTER(ctypes.c_double)
NATIVE = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, DOUBLES, DOUBLES, DOUBLES, DOUBLES
)
"""Numba's own convention for a function over lanes: where its result and an exception go, then its arguments."""
DIGEST_SIZE = hashlib.sha256().digest_size


class _CompiledCode:
    """What a Numba dispatcher asks for compiled signatures and gives new ones to (see ``numba.core.caching``)."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._module, self._stem = function.__module__, function.__name__
        self._folder = Path(function.__code__.co_filename).parent
        self._begun = 0.0

    @property
    def cache_path(self) -> str:
        """The folder, as Numba's statistics report it."""
        return str(self._folder)

    def _path_and_identity(self, signature: Any, codegen: Any) -> tuple[Path, bytes]:
        # The module's name holds the kernel's key, hence its text and all versions; the rest is signature and CPU.
        identity = repr((self._name, signature, codegen.magic_tuple())).encode()
        return self._folder / f"{self._stem}-{hashlib.sha256(identity).hexdigest()[:16]}.nbc", identity

    def load_overload(self, signature: Any, target_context: Any) -> CompileResult | None:
        """Return a compiled signature, or nothing if it is not there or not intact: then it is compiled."""
        self._begun = time.perf_counter()
        # Numba would refresh the whole context here, which imports SciPy's linear algebra and takes longer than all
        # the rest of loading a kernel. Machine code needs only the runtime; whatever is compiled refreshes anyway.
        rtsys.initialize(target_context)
        path, identity = self._path_and_identity(signature, target_context.codegen())
        try:
            content = path.read_bytes()
        except OSError:
            return None
        digest, payload = content[:DIGEST_SIZE], content[DIGEST_SIZE:]
        if digest != hashlib.sha256(identity + payload).digest():
            return None
        return CompileResult._rebuild(target_context, *pickle.loads(payload))

    def save_overload(self, signature: Any, compiled: CompileResult) -> None:
        """Keep a compiled signature, if it can be kept."""
        told(f"compile {self._stem}", time.perf_counter() - self._begun)
        parts = compiled._asdict()
        # Compiled while its module is not known by name, it would name none, and could not be loaded.
        if parts["library"].has_dynamic_globals or parts["lifted"] or self._module not in sys.modules:
            return
        path, identity = self._path_and_identity(signature, compiled.codegen)
        payload = dumps(compiled._reduce())
        try:
            write_atomically(path, hashlib.sha256(identity + payload).digest() + payload)
        except OSError as error:
            # On Windows a file that another process reads cannot be replaced; it holds the same code.
            if not path.is_file():
                warn_unwritable(self._folder, error.strerror or str(error))

    def flush(self) -> None:
        """Forget what was compiled from an earlier text: there is none, a text has its own folder."""


def entry_point(function: Callable[..., Any]) -> Any:
    """Compile a kernel's function on its first call, unless its code for these arguments is on disk.

    It owns no arrays: references to them would be counted at every access of a table, atomically, which takes longer
    than what is computed.
    """
    dispatcher: Any = numba.njit(**PLAIN)(function)
    dispatcher._cache = _CompiledCode(function)
    return dispatcher


POINTER = types.CPointer(types.float64)
OVER_LANES = types.int64(types.int64, POINTER, POINTER, POINTER, POINTER)
"""The one signature of a model's functions over lanes: count, workspace, a line's constants, state, parameters."""


class OverLanes:
    """A function over lanes that numerics call through its address, compiled when that is first asked for.

    So the numerics are compiled once for all models, and a model's functions each by itself, if at all.

    Parameters
    ----------
    function
        Of the five arguments of ``OVER_LANES``; returns an integer.
    """

    def __init__(self, function: Callable[..., int]) -> None:
        self._function = function
        self.__name__, self.__doc__ = function.__name__, function.__doc__

    @functools.cached_property
    def _code(self) -> CompileResult:
        options = {**PLAIN, "no_cpython_wrapper": True}
        dispatcher: Any = numba.njit(**options)(self._function)
        dispatcher._cache = _CompiledCode(self._function)
        dispatcher.compile(OVER_LANES.args)
        return dispatcher.overloads[OVER_LANES.args]

    @functools.cached_property
    def address(self) -> int:
        """Where its machine code is, as long as this object lives."""
        return self._code.library.get_pointer_to_function(self._code.fndesc.llvm_func_name)

    def __call__(
        self, count: int, work: np.ndarray, line: np.ndarray, state: np.ndarray, parameters: np.ndarray
    ) -> int:
        """Evaluate the first ``count`` lanes of a workspace."""
        arrays = work, line, state, parameters
        if any(x.dtype != np.float64 or not x.flags.c_contiguous for x in arrays):
            kinds = [x.dtype for x in arrays]
            raise TypeError(f"arrays of {self.__name__} must be contiguous and of doubles, not {kinds}")
        returned, raised = ctypes.c_int64(), ctypes.c_void_p()
        pointers = [x.ctypes.data_as(DOUBLES) for x in arrays]
        NATIVE(self.address)(ctypes.byref(returned), ctypes.byref(raised), count, *pointers)
        return returned.value


@intrinsic
def call(typing_context: Any, address: Any, count: Any, work: Any, problem: Any) -> Any:
    """Call a function over lanes at an address, with the line, state and parameters of a problem (a named tuple)."""
    names = [problem.fields.index(name) for name in ("line", "state", "parameters")]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, count, work, problem = arguments
        arrays = [(signature.args[2], work)]
        arrays += [(signature.args[3].types[k], builder.extract_value(problem, k)) for k in names]
        pointers = [context.make_array(kind)(context, builder, array).data for kind, array in arrays]
        # Numba's own convention: where the result and an exception go come first. There are no exceptions.
        word = ir.IntType(64)
        returned, raised = cgutils.alloca_once(builder, word), cgutils.alloca_once(builder, ir.IntType(8).as_pointer())
        values = [returned, raised, count, *pointers]
        kind = ir.FunctionType(ir.IntType(32), [value.type for value in values])
        builder.call(builder.inttoptr(address, kind.as_pointer()), values)
        return builder.load(returned)

    return types.int64(types.int64, types.int64, work, problem), generate
