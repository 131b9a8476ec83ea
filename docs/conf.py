from importlib.metadata import version as distribution_version

project = "attention-phase"
author = "The attention-phase founders"
project_copyright = "2024-2026, The attention-phase founders"
release = distribution_version("attention-phase")
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    # Formulas are readable without a network.
    "sphinx-mathjax-offline",
]

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

napoleon_google_docstring = False
napoleon_numpy_docstring = True
napoleon_use_ivar = False
napoleon_use_rtype = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
autodoc_class_signature = "mixed"
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"attention-phase {release}"
html_static_path = ["_static"]
html_show_sphinx = False

exclude_patterns = ["_build"]
