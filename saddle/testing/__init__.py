"""Property-based tests of a user's own models: what to draw, and the laws that must hold (needs hypothesis)."""

from importlib.util import find_spec

import lazy_loader

if find_spec("hypothesis") is None:
    raise ImportError(
        "saddle.testing draws models by hypothesis, which is not installed: "
        'pip install "attention-phase[test]", or hypothesis alone'
    )

# Names stand in the stub file, as in the other packages.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
