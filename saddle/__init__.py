"""Solve the saddle-point equations: kernels, quadrature, branches, transitions, phase diagrams."""

from importlib.util import find_spec

import lazy_loader

# Before anything is imported from replica, of which it cannot be asked: a script of that name would hide it.
_found = find_spec("replica")
if _found is not None and _found.submodule_search_locations is None:
    raise ImportError(
        f"{_found.origin!r} has the name of attention-phase's package 'replica' and hides it: rename it, or run Python "
        "elsewhere"
    )

from replica.common.own_packages import require_own_packages, warn_if_hidden
from replica.common.version import library_version

require_own_packages("baselines")
warn_if_hidden("validation")

# Names stand in the stub file: who needs one module of the solver does not wait for the imports of all.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = library_version()
