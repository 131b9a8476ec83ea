"""Checks of the theory by experiment: data sets, training, message passing, overlaps, comparison."""

from importlib.util import find_spec

import lazy_loader

# Before anything is imported from replica, of which it cannot be asked: a script of that name would hide it.
_found = find_spec("replica")
if _found is not None and _found.submodule_search_locations is None:
    raise ImportError(
        f"{_found.origin!r} has the name of attention-phase's package 'replica' and hides it: rename it, or run Python "
        "elsewhere"
    )

from replica.common.own_packages import require_own_packages
from replica.common.version import library_version

require_own_packages("baselines", "saddle")

# Names stand in the stub file: figures and published numbers are imported when they are asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = library_version()
