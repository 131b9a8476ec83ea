r"""Displayed equations broken into lines that fit a page, where a human would break them.

Breaks come before a plus, a minus or a relation, or after a comma; only if nothing else helps, between two factors
(with a :math:`\times`). The fewest lines win; among those, breaks outside of brackets, then lines of equal length.
Brackets that a break may separate have fixed sizes, since TeX's ``\left`` and ``\right`` must stand on one line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from replica.reports.passages import Line
from replica.reports.typesetting.tokens import canonical, group_end, join, tokenise
from replica.reports.typesetting.widths import typeset_width

__all__ = ["LINE_WIDTH", "broken", "fixed_delimiters"]

LINE_WIDTH = 31.0
"""Width of an equation in ems: that of an article's text at 10 points, less the equation's number."""

# A left side wider than this share of a line stands on a line of its own.
WIDEST_LEFT = 0.4
LARGEST_INDENT = 3
LINE_COST, DEPTH_COST, PRODUCT_COST, RAGGED_COST, OVERFULL_COST = 20.0, 6.0, 8.0, 6.0, 1e4

_RELATIONS = {"=", r"\le", r"\ge", r"\approx", r"\to", r"\equiv", r"\sim", r"\leq", r"\geq"}
_OPERATORS = {"+", "-", r"\times", r"\cdot", r"\pm", ","} | _RELATIONS
_OPENING = {"(", "[", r"\{", r"\langle"}
_CLOSING = {")", "]", r"\}", r"\rangle"}
_LEFT_SIZES, _RIGHT_SIZES = ("", r"\bigl", r"\Bigl", r"\biggl"), ("", r"\bigr", r"\Bigr", r"\biggr")
# What brackets behind it belong to.
_APPLIED = {r"\mathbb", r"\mathcal", r"\operatorname", r"\operatorname*", r"\mathrm", r"\exp", r"\log", r"\ell",
            r"\min", r"\max", r"\det", r"\mathsf"}  # fmt: skip


def _tallness(tokens: list[str]) -> int:
    """Return the size of brackets around tokens: 0 plain, up to 3."""
    tallest, depth = 0, 0
    for token in tokens:
        depth += (token == "{") - (token == "}")
        if token in (r"\frac", r"\dfrac", r"\sum"):
            # In scripts and fractions they are smaller.
            tallest = max(tallest, 3 if depth == 0 else 2)
        elif token in (r"\sqrt", r"\left"):
            tallest = max(tallest, 2)
        elif token in _LEFT_SIZES[1:]:
            tallest = max(tallest, _LEFT_SIZES.index(token))
        elif token in ("(", "[", r"\hat", r"\tfrac"):
            tallest = max(tallest, 1)
    return tallest


def fixed_delimiters(tokens: list[str]) -> list[str]:
    r"""Return tokens with ``\left`` and ``\right`` replaced by fixed sizes that fit what is between them."""
    result: list[str] = []
    opened: list[int] = []
    depth, k = 0, 0
    while k < len(tokens):
        token = tokens[k]
        depth += (token == "{") - (token == "}")
        if token == r"\left":
            opened.append(len(result))
            result += [token, tokens[k + 1]]
            k += 2
        elif token == r"\right" and opened:
            start = opened.pop()
            size = _tallness(result[start + 2 :])
            visible = result[start + 1] != "." and tokens[k + 1] != "."
            # Within fractions, which no break enters, only needless ones are replaced.
            fixed = visible and (depth == 0 or size < 2)
            if fixed:
                size = size if depth == 0 else 0
                result[start] = _LEFT_SIZES[size]
            result += [_RIGHT_SIZES[size] if fixed else token, tokens[k + 1]]
            k += 2
        else:
            result.append(token)
            k += 1
    return [token for token in result if token]


@dataclass(frozen=True)
class _Segment:
    """What stands between two places where a line may break, and what a break before it costs."""

    text: str
    depth: int = 0
    product: bool = False
    aligned: bool = False


def _atom_before(tokens: list[str], k: int) -> str:
    """Return the command or character that the atom before ``k`` begins with."""
    j = k - 1
    while j >= 0 and tokens[j] == "}":
        depth = 0
        while j >= 0:
            depth += (tokens[j] == "}") - (tokens[j] == "{")
            if depth == 0:
                break
            j -= 1
        j -= 1
        if j >= 0 and tokens[j] in ("_", "^"):
            j -= 1
    return tokens[j] if j >= 0 else ""


def _segments(tokens: list[str]) -> list[_Segment]:
    """Cut tokens where a line may break."""
    cuts: list[tuple[int, int, bool, bool]] = [(0, 0, False, False)]
    nesting, k = 0, 0
    listed = False
    while k < len(tokens):
        token = tokens[k]
        previous = tokens[k - 1] if k else ""
        after_operator = not previous or previous in _OPERATORS or previous in _OPENING or previous == r"\quad"
        if token in _RELATIONS and k:
            # Inside brackets a relation belongs to what they hold, in a list of equations to its own left side.
            if nesting == 0 and not listed:
                cuts.append((k, 0, False, True))
        elif token in ("+", "-") and not after_operator:
            cuts.append((k, nesting, False, False))
        elif previous in (r"\quad", r"\qquad") and nesting == 0:
            listed = True
            cuts.append((k, 0, False, False))
        elif (token in (r"\frac", r"\mathbb") or token in _LEFT_SIZES[1:]) and not after_operator:
            before = _atom_before(tokens, k)
            if before not in _APPLIED and previous not in (r"\,", r"\sum", r"\prod", r"\int") and before != r"\sum":
                cuts.append((k, nesting, True, False))
        if token == "\\begin":
            depth = 0
            while k < len(tokens):
                depth += (tokens[k] == "\\begin") - (tokens[k] == "\\end")
                if depth == 0:
                    break
                k += 1
            k = group_end(tokens, k + 1)
            continue
        if token == r"\left":
            depth = 0
            while k < len(tokens):
                depth += (tokens[k] == r"\left") - (tokens[k] == r"\right")
                if depth == 0:
                    break
                k += 1
            k += 2
            continue
        if token == "{":
            k = group_end(tokens, k)
            continue
        nesting += (token in _OPENING) - (token in _CLOSING)
        k += 1
    ends = [cut[0] for cut in cuts[1:]] + [len(tokens)]
    return [
        _Segment(join(tokens[start:end]), depth, product, aligned)
        for (start, depth, product, aligned), end in zip(cuts, ends, strict=True)
        if start < end
    ]


def _indent(segment: _Segment) -> int:
    return 0 if segment.aligned else min(LARGEST_INDENT, max(1, segment.depth))


def _lines(segments: list[_Segment], width: float, measure: Callable[[str], float]) -> list[Line]:
    """Choose the breaks of lowest cost, by dynamic programming over the places where a line may end."""
    widths = [measure(segment.text) for segment in segments]
    count = len(segments)
    best = [0.0] + [float("inf")] * count
    start_of = [0] * (count + 1)
    for end in range(1, count + 1):
        for start in range(end):
            first = segments[start]
            taken = sum(widths[start:end]) + (_indent(first) + 1.3 * first.product if start else 0.0)
            cost = best[start] + OVERFULL_COST * max(0.0, taken - width) / width
            if start:
                cost += LINE_COST + DEPTH_COST * first.depth**2 + PRODUCT_COST * first.product
            cost += RAGGED_COST * (max(0.0, width - taken) / width) ** 2 * (0.5 if end == count else 1.0)
            if cost < best[end]:
                best[end], start_of[end] = cost, start
    ends = [count]
    while ends[-1]:
        ends.append(start_of[ends[-1]])
    lines = []
    for start, end in zip(ends[:0:-1], ends[-2::-1], strict=True):
        text = join([token for segment in segments[start:end] for token in tokenise(segment.text)])
        if start and segments[start].product:
            text = r"\times " + text
        lines.append(
            Line(text.removesuffix(r"\quad").removesuffix(r"\qquad"), _indent(segments[start]) if start else 0)
        )
    return lines


def broken(
    left: str,
    right: str,
    width: float = LINE_WIDTH,
    measure: Callable[[str], float] = typeset_width,
    relation: str = "=",
) -> tuple[str, tuple[Line, ...]]:
    """Break an equation into lines.

    Parameters
    ----------
    left, right
        Its two sides; the right side may contain further relations.
    width
        What a line may take, in ems.
    measure
        Width of a piece of LaTeX, in ems.
    relation
        What stands between the sides.

    Returns
    -------
    str, tuple of Line
        Left side and lines. The left side is empty if it is wide and has become the first line.
    """
    left = join(canonical(tokenise(left)))
    tokens = [*tokenise(relation), *fixed_delimiters(canonical(tokenise(right)))]
    taken = measure(left) + 0.3
    segments = _segments(tokens)
    whole = sum(measure(segment.text) for segment in segments)
    if taken > WIDEST_LEFT * width and taken + whole > width:
        lines = _lines(segments, width - 1.0, measure)
        return "", (Line(left), *(Line(line.text, line.indent + 1) for line in lines))
    return left, tuple(_lines(segments, width - taken, measure))
