"""Replica theory of attention models: the model, the derivation, generated code and equation reports."""

import lazy_loader

from replica.common.own_packages import warn_if_hidden
from replica.common.version import library_version

warn_if_hidden("saddle")

# Names stand in the stub file; SymPy is imported when the first one that needs it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = library_version()
