"""Continuation and bifurcation analysis of F(x; p) = 0: a general engine that knows no attention."""

import lazy_loader

# Names stand in the stub file.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
