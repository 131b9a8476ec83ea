"""Machine code on disk, beside the kernel that it was compiled from.

Numba's own files carry no checksum: a truncated one raises whatever unpickling half a file raises, at the first
call, and a damaged one is executed. Its index, one per function, is also a race: two processes that compile two
signatures at once may end with one signature's code under the other's name. Here every signature of a function
has a file of its own, named after all that it depends on, that begins with its checksum; what fails the check
counts as absent and is compiled again.
"""

from __future__ import annotations

import ctypes
import hashlib
import pickle
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.ccallback import CFunc
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
C_OVER_LANES = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, DOUBLES, DOUBLES, DOUBLES, DOUBLES)
"""A function over lanes as C calls it: ``OVER_LANES`` in the words of ctypes."""
DIGEST_SIZE = hashlib.sha256().digest_size


class _CompiledCode:
    """What Numba asks for compiled signatures and gives new ones to (see ``numba.core.caching``)."""

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
        try:
            parts = pickle.loads(payload)
        except (AttributeError, ImportError):
            # It names what is not there, as a class of another module of generated text may be.
            return None
        return CompileResult._rebuild(target_context, *parts)

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

    So the numerics are compiled once for all models, and a model's functions each by itself, if at all. It is called
    as C calls functions, by the address of what ``numba.cfunc`` makes: how Numba itself calls is not promised to last.

    Parameters
    ----------
    function
        Of the five arguments of ``OVER_LANES``; returns an integer.
    """

    def __init__(self, function: Callable[..., int]) -> None:
        self._function = function
        self._callback: Any = None
        self._compiling = threading.Lock()
        self.__name__, self.__doc__ = function.__name__, function.__doc__

    @property
    def address(self) -> int:
        """Where its machine code is, as long as this object lives."""
        # Threads that need it first at the same time wait for the one that compiles.
        with self._compiling:
            if self._callback is None:
                callback: Any = CFunc(self._function, (OVER_LANES.args, OVER_LANES.return_type), {}, PLAIN)
                callback._cache = _CompiledCode(self._function)
                callback.compile()
                # Only now: what is half made, or failed, nobody is to see.
                self._callback = callback
        return self._callback.address

    def __call__(
        self, count: int, work: np.ndarray, line: np.ndarray, state: np.ndarray, parameters: np.ndarray
    ) -> int:
        """Evaluate the first ``count`` lanes of a workspace."""
        arrays = work, line, state, parameters
        if any(x.dtype != np.float64 or not x.flags.c_contiguous for x in arrays):
            kinds = [x.dtype for x in arrays]
            raise TypeError(f"arrays of {self.__name__} must be contiguous and of doubles, not {kinds}")
        return C_OVER_LANES(self.address)(count, *(x.ctypes.data_as(DOUBLES) for x in arrays))


@intrinsic
def call(typing_context: Any, address: Any, count: Any, work: Any, problem: Any) -> Any:
    """Call a function over lanes at an address, with the line, state and parameters of a problem (a named tuple)."""
    names = [problem.fields.index(name) for name in ("line", "state", "parameters")]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, count, work, problem = arguments
        arrays = [(signature.args[2], work)]
        arrays += [(signature.args[3].types[k], builder.extract_value(problem, k)) for k in names]
        values = [count, *(context.make_array(kind)(context, builder, array).data for kind, array in arrays)]
        kind = ir.FunctionType(ir.IntType(64), [value.type for value in values])
        return builder.call(builder.inttoptr(address, kind.as_pointer()), values)

    return types.int64(types.int64, types.int64, work, problem), generate
