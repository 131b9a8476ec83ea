"""How wide typeset mathematics is, from the widths of Computer Modern's letters, in ems of the text's font.

An estimate that errs on the wide side by a few per cent (a test compares it with TeX): enough to break lines so
that they fit, without running TeX.
"""

from __future__ import annotations

from replica.reports.typesetting.tokens import group_end, tokenise

__all__ = ["text_width", "typeset_width"]

# Thousandths of an em, italic correction included, from the fonts' own metrics (cmmi10, cmr10, cmsy10).
_ITALIC = dict(zip(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    (529, 429, 433, 520, 466, 597, 513, 576, 345, 469, 552, 318, 878, 600, 485, 503, 482, 479, 469, 361, 572, 521, 743,
     572, 526, 509, 750, 809, 786, 856, 796, 782, 786, 912, 518, 651, 921, 681, 1079, 912, 791, 781, 791, 767, 671,
     723, 792, 806, 1083, 907, 803, 754), strict=True,
))  # fmt: skip
_ROMAN = dict(zip(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    (500, 556, 444, 556, 444, 383, 514, 556, 278, 306, 528, 278, 833, 556, 500, 556, 528, 392, 394, 389, 556, 542, 736,
     528, 542, 444, 750, 708, 722, 764, 681, 653, 785, 750, 361, 514, 778, 625, 917, 750, 778, 681, 778, 736, 556, 722,
     750, 764, 1042, 775, 775, 611), strict=True,
))  # fmt: skip
_NAMED = {
    "alpha": 643, "beta": 618, "gamma": 573, "delta": 482, "epsilon": 406, "zeta": 511, "eta": 532, "theta": 497,
    "iota": 354, "kappa": 576, "lambda": 583, "mu": 603, "nu": 558, "xi": 484, "pi": 606, "rho": 517, "sigma": 607,
    "tau": 550, "upsilon": 576, "phi": 596, "chi": 626, "psi": 687, "omega": 658, "varepsilon": 466, "vartheta": 591,
    "varpi": 856, "varrho": 517, "varsigma": 443, "varphi": 654, "Gamma": 625, "Delta": 833, "Theta": 778,
    "Lambda": 694, "Xi": 667, "Pi": 750, "Sigma": 722, "Upsilon": 778, "Phi": 722, "Psi": 778, "Omega": 722,
    "partial": 590, "ell": 417, "star": 500, "top": 778, "infty": 1000, "sum": 1444, "int": 1250, "prod": 1550,
    "ldots": 1172, "dots": 1172, "cdots": 1172, "langle": 389, "rangle": 389, "vert": 278, "lvert": 278, "rvert": 278,
    "Vert": 500, "lVert": 500, "rVert": 500, "nabla": 833,
}  # fmt: skip
_SPACES = {r"\,": 167, r"\:": 222, r"\>": 222, r"\;": 278, r"\ ": 333, r"\!": -167, r"\quad": 1000, r"\qquad": 2000}
_RELATIONS = {"=", "<", ">", r"\le", r"\ge", r"\to", r"\sim", r"\equiv", r"\in", r"\ne", r"\approx", r"\neq", r"\leq",
              r"\geq", r"\simeq", r"\propto"}  # fmt: skip
_BINARY = {"+", "-", r"\times", r"\cdot", r"\pm"}
_SIZES = {"big": 475, "Big": 620, "bigg": 760, "Bigg": 820}
_OPERATORS = {"log", "exp", "min", "max", "det", "lim", "sin", "cos", "tanh", "inf", "sup", "ln", "Tr"}
_UPRIGHT = {"mathrm", "operatorname", "text", "textrm", "operatorname*", "mathsf", "mathbf", "mathtt"}
_LETTERS = {"mathbb", "mathcal", "mathfrak", "boldsymbol", "bm"}
_SCRIPT = 0.73
_PLAIN = {"(": 389, ")": 389, "[": 278, "]": 278, "|": 278, ",": 445, ";": 445, ".": 278, "/": 500, "!": 278,
          "'": 250, "*": 500, "~": 333}  # fmt: skip


def typeset_width(latex: str) -> float:
    """Return the width of an expression in display style, in ems."""
    return _width(tokenise(latex), 1.0) / 1000


def text_width(text: str) -> float:
    """Return about how wide upright text is, in ems, without kerning."""
    return sum(_ROMAN.get(c, 500 if c.isdigit() else 333) for c in text) / 1000


def _width(tokens: list[str], size: float) -> float:
    total, k = 0.0, 0
    while k < len(tokens):
        width, k = _atom(tokens, k, size)
        if k < len(tokens) and tokens[k] in ("_", "^"):
            scripts = []
            while k < len(tokens) and tokens[k] in ("_", "^"):
                end = group_end(tokens, k + 1)
                scripts.append(_width(tokens[k + 1 : end], max(0.5, size * _SCRIPT)))
                k = end
            width += max(scripts) + 50 * size
        total += width
    return total


def _groups(tokens: list[str], start: int, count: int) -> tuple[list[list[str]], int]:
    """Return the arguments of a command and the index behind them."""
    found = []
    for _ in range(count):
        end = group_end(tokens, start)
        found.append(tokens[start:end])
        start = end
    return found, start


def _atom(tokens: list[str], k: int, size: float) -> tuple[float, int]:
    """Return the width of what begins at ``k``, and the index behind it."""
    token = tokens[k]
    # In scripts TeX leaves out the space around operators.
    roomy = 1.0 if size == 1.0 else 0.0
    if token == "{":
        end = group_end(tokens, k)
        return _width(tokens[k + 1 : end - 1], size), end
    if token in _SPACES:
        return _SPACES[token] * size, k + 1
    if token in _RELATIONS:
        return (850 + 556 * roomy) * size, k + 1
    if token in _BINARY:
        return ((300 if token == r"\cdot" else 778) + 444 * roomy) * size, k + 1
    if token in (r"\{", r"\}"):
        return 500 * size, k + 1
    if not token.startswith("\\"):
        upright = 500 if token.isdigit() else _PLAIN.get(token, 600)
        return _ITALIC.get(token, upright) * size, k + 1
    return _command(token[1:], tokens, k + 1, size)


def _command(name: str, tokens: list[str], k: int, size: float) -> tuple[float, int]:
    """Return the width of a command with its arguments, and the index behind them."""
    if name in ("frac", "dfrac", "tfrac"):
        # TeX sets fractions within fractions in text style, then in script style.
        inner = size if size == 1.0 and name != "tfrac" else size * _SCRIPT
        (top, bottom), k = _groups(tokens, k, 2)
        return max(_width(top, inner), _width(bottom, inner)) + 240 * size, k
    if name == "sqrt":
        (inside,), k = _groups(tokens, k, 1)
        return _width(inside, size) + 900 * size, k
    if name in ("left", "right", "middle"):
        return 620 * size if k < len(tokens) and tokens[k] != "." else 120 * size, k + 1
    if name.rstrip("lrm") in _SIZES:
        return _SIZES[name.rstrip("lrm")] * size, k + 1
    if name in _UPRIGHT:
        (inside,), k = _groups(tokens, k, 1)
        word = "".join(token for token in inside if token not in "{}")
        return (1000 * text_width(word) + 167) * size, k
    if name in _LETTERS:
        (inside,), k = _groups(tokens, k, 1)
        return sum(1080 if token == "M" else 800 for token in inside if token not in "{}") * size, k
    if name in ("hat", "bar", "tilde", "vec", "dot", "widehat", "overline", "widetilde"):
        (inside,), k = _groups(tokens, k, 1)
        return _width(inside, size) + 30 * size, k
    if name in _OPERATORS:
        return 560 * len(name) * size + 167 * size, k
    return _NAMED.get(name, 800) * size, k
