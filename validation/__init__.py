"""Checks of the theory by experiment: data sets, training, message passing, overlaps, comparison."""

import lazy_loader

from replica.common.version import library_version

# Names stand in the stub file: figures and published numbers are imported when they are asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = library_version()
