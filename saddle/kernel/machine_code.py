"""Machine code on disk, beside the kernel that it was compiled from.

Numba's own files carry no checksum: a truncated one raises whatever unpickling half a file raises, at the first
call, and a damaged one is executed. Its index, one per function, is also a race: two processes that compile two
signatures at once may end with one signature's code under the other's name. Here every signature of a function
has a file of its own, named after all that it depends on, that begins with its checksum; what fails the check
counts as absent and is compiled again.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.compiler import CompileResult
from numba.core.runtime.nrt import rtsys
from numba.core.serialize import dumps

from replica.common.files import write_atomically
from replica.common.stages import told
from saddle.kernel.cache_folder import warn_unwritable

__all__ = ["entry_point"]

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
    """Compile a kernel's function on its first call, unless its code for these arguments is on disk."""
    dispatcher: Any = numba.njit(error_model="numpy", nogil=True)(function)
    dispatcher._cache = _CompiledCode(function)
    return dispatcher
