"""LaTeX mathematics as MathML that browsers render by themselves.

The conversion is that of latex2mathml; what is repaired here are a few places where its output is no MathML Core, or
where a letter is left as a command.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from replica.reports.passages import Line
from replica.reports.typesetting.tokens import group_end, join, tokenise

__all__ = ["displayed_mathematics", "inline_mathematics", "unknown_commands", "unreadable"]

_REPLACED = {r"\!": "", r"\lbrace": r"\{", r"\rbrace": r"\}"}
# Behind a command of size they are left as they are.
_BRACKETS = {r"\{": "{", r"\}": "}", r"\langle": "&#x027E8;", r"\rangle": "&#x027E9;"}
_TIGHT = 'lspace="0" rspace="0"'
_REPAIRS = tuple((re.compile(pattern), repaired) for pattern, repaired in (
    # Brackets of a fixed size stand in the middle of a row, where they would get an operator's space.
    (r'<mo stretchy="true" fence="true" (minsize="[^"]*" maxsize="[^"]*")>', rf'<mo stretchy="true" {_TIGHT} \1>'),
    (r'<mo stretchy="false">(&#x00028;|&#x00029;|\[|\])</mo>', rf'<mo stretchy="false" {_TIGHT}>\1</mo>'),
    (r"<mo>(&#x0007C;|&#x02223;|\|)</mo>", rf'<mo stretchy="false" {_TIGHT}>|</mo>'),
    (r"<mo>(/|&#x0002F;)</mo>", rf"<mo {_TIGHT}>/</mo>"),
    (rf'<mo stretchy="true" {_TIGHT} minsize="1.2em" maxsize="1.2em">', rf'<mo stretchy="false" {_TIGHT}>'),
    (r"<mi>(&#x027E[89];)</mi>", rf'<mo stretchy="false" {_TIGHT}>\1</mo>'),
    # An accent is a letter of its own, not the operator of the same look.
    (r"<mo>&#x0005E;</mo>", '<mo stretchy="false">&#x002C6;</mo>'),
    # As TeX has them: upright capital Greek letters, names of functions as identifiers.
    (r"<mi>(&#x0039[1-9A-F];|&#x003A[0-9];|&#x1D53C;)</mi>", r'<mi mathvariant="normal">\1</mi>'),
    (r"<msub><mo>(min|max)</mo>(<mrow><mi>\w+</mi></mrow>|<mi>\w+</mi>)</msub>", r"<munder><mi>\1</mi>\2</munder>"),
    (r"<msub><mo>lim</mo>(<mrow>.*?</mrow>)</msub>",
     r'<munder><mi>lim</mi>\1</munder><mspace width="0.167em"></mspace>'),
    (r"<mi>(log|exp)</mi>(?=<m[in])", r'<mi>\1</mi><mspace width="0.167em"></mspace>'),
    (r"(?<!<msub>)(?<!<munder>)<mo(?: movablelimits=\"true\")?>(lim|log|Tr|exp|det)</mo>",
     r'<mi>\1</mi><mspace width="0.167em"></mspace>'),
    (r"<mo(?: movablelimits=\"true\")?>([A-Za-z]{2,})</mo>", r"<mi>\1</mi>"),
    (r"<mo>(&#x0221E;|&#x022C6;|&#x022A4;)</mo>", r'<mi mathvariant="normal">\1</mi>'),
    (r"<mrow />", "<mrow></mrow>"),
))  # fmt: skip
_REASONS = {
    "NoAvailableTokensError": "a command lacks its argument",
    "DoubleSubscriptsError": "it has two subscripts on one letter",
    "DoubleSuperscriptsError": "it has two superscripts on one letter",
}
_COMMAND = re.compile(r"\\[A-Za-z]+")
_BODY = re.compile(r"<math[^>]*>(.*)</math>", re.DOTALL)


def _prepared(latex: str) -> str:
    tokens = tokenise(latex)
    result: list[str] = []
    k = 0
    while k < len(tokens):
        token = tokens[k]
        if token == r"\mathrm":
            end = group_end(tokens, k + 1)
            word = "".join(tokens[k + 1 : end]).strip("{}")
            # A word is one operator, not a product of letters.
            result += [rf"\operatorname{{{word}}}"] if len(word) > 1 else tokens[k:end]
            k = end
            continue
        result.append(_REPLACED.get(token, token))
        k += 1
    return join([token for token in result if token])


def _converted(latex: str) -> str:
    """Return the content of a formula, without the element around it."""
    from latex2mathml.converter import convert

    found = _BODY.search(convert(_prepared(latex), display="block"))
    if found is None:
        raise ValueError(f"cannot be converted to MathML: {latex!r}")
    mathml = found[1]
    for command, shown in _BRACKETS.items():
        mathml = mathml.replace(f">{command}<", f">{shown}<")
    for pattern, repaired in _REPAIRS:
        mathml = pattern.sub(repaired, mathml)
    if "\\" in mathml:
        command = re.search(r"\\[A-Za-z]*", mathml)
        raise ValueError(f"MathML has no symbol for {command[0] if command else latex!r} in {latex!r}")
    return mathml


def unknown_commands(latex: str) -> list[str]:
    """Return the commands that MathML has no symbol for, in their order."""
    from latex2mathml.converter import convert

    return list(dict.fromkeys(_COMMAND.findall(convert(_prepared(latex), display="block"))))


def unreadable(latex: str) -> str:
    """Return why a piece of LaTeX is no formula, or nothing if it is one, whatever its commands are."""
    from latex2mathml import exceptions
    from latex2mathml.converter import convert

    # Its errors have no class in common, and come from inside lists as well.
    known = tuple(x for x in vars(exceptions).values() if isinstance(x, type) and issubclass(x, Exception))
    try:
        convert(_prepared(latex), display="block")
    except (*known, IndexError, StopIteration, ValueError, RuntimeError) as error:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__.removesuffix("Error")).lower()
        return _REASONS.get(type(error).__name__, words)
    return ""


def inline_mathematics(latex: str) -> str:
    """Return a formula within a sentence."""
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML">{_converted(latex)}</math>'


def displayed_mathematics(left: str, lines: Sequence[Line]) -> str:
    """Return a displayed equation: one row per line, aligned at the relation."""
    rows = []
    for k, line in enumerate(lines):
        first = _converted(left) if k == 0 and left else "<mrow></mrow>"
        space = f'<mspace width="{line.indent}em"></mspace>' if line.indent else ""
        # An empty row before it makes a leading plus or relation an infix operator.
        body = re.sub(r"^<mrow><mo>", '<mrow><mrow></mrow><mo form="infix">', _converted(line.text))
        rows.append(f'<mtr><mtd class="left">{first}</mtd><mtd class="right">{space}{body}</mtd></mtr>')
    table = f'<mtable displaystyle="true">{"".join(rows)}</mtable>'
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{table}</math>'
