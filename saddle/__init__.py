"""Solve the saddle-point equations: kernels, quadrature, branches, transitions, phase diagrams."""

import lazy_loader

from replica.common.own_packages import require_own_packages, warn_if_hidden
from replica.common.version import library_version

require_own_packages("baselines")
warn_if_hidden("validation")

# Names stand in the stub file: who needs one module of the solver does not wait for the imports of all.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = library_version()
