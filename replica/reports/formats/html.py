"""Reports as one HTML file that needs nothing else: MathML, style and figures are in it; no scripts."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence

from replica.common.version import library_version
from replica.reports.formats.bibliography import CITATION, Publication
from replica.reports.formats.latex import EQUATION_REFERENCE
from replica.reports.passages import Equation, Figure, Heading, Paragraph, Passage, Table
from replica.reports.typesetting.mathml import displayed_mathematics, inline_mathematics
from replica.reports.typesetting.tokens import in_mathematics

__all__ = ["html_document"]

_STYLE = """
body { max-width: 54rem; margin: 2.5rem auto; padding: 0 1.2rem; font: 1.05rem/1.55 Georgia, "Times New Roman", serif;
       color: #1a1a1a; background: #fff; }
h1, h2, h3 { font-family: system-ui, "Helvetica Neue", Arial, sans-serif; line-height: 1.25; }
h2 { margin-top: 2.4rem; border-bottom: 1px solid #ddd; padding-bottom: .2rem; }
math { font-family: "Latin Modern Math", "STIX Two Math", "Cambria Math", "Libertinus Math", math, serif; }
.equation { display: flex; align-items: center; gap: 1rem; margin: .9rem 0; overflow-x: auto; }
.equation math { flex: 1; font-size: 1.05em; }
.equation .number { color: #555; }
mtd { padding: .35em 0; }
mtd.left { text-align: right; }
mtd.right { text-align: left; }
.table { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem auto; font-size: .95rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem; border-bottom: 1px solid #e3e3e3; }
th { border-bottom: 2px solid #888; font-family: system-ui, Arial, sans-serif; font-size: .9rem; }
figure { margin: 1.5rem 0; }
figure img { width: 100%; height: auto; }
figcaption { font-size: .95rem; color: #333; }
@media print { body { max-width: none; margin: 0; } .equation, .table { overflow: visible; } }
"""


def _slug(text: str) -> str:
    return "-".join(text.lower().split())


class _Writer:
    """Turns text into HTML, with the numbers of equations and publications."""

    def __init__(self, equations: Sequence[str], keys: Sequence[str]) -> None:
        self.numbers = {label: k for k, label in enumerate(equations, 1)}
        self.keys = {key: k for k, key in enumerate(keys, 1)}

    def text(self, text: str) -> str:
        """Return text with formulas as MathML and markers as links."""

        def outside(plain: str) -> str:
            plain = html.escape(plain, quote=False)
            plain = EQUATION_REFERENCE.sub(lambda x: f'<a href="#eq-{x[1]}">({self.numbers[x[1]]})</a>', plain)
            return CITATION.sub(lambda x: f'<a href="#ref-{x[1]}">[{self.keys[x[1]]}]</a>', plain)

        shown = in_mathematics(text, inline_mathematics, outside)
        # What was between dollar signs is markup now.
        return shown.replace("$<math", "<math").replace("</math>$", "</math>")

    def passage(self, passage: Passage, images: Mapping[str, bytes]) -> str:
        match passage:
            case Heading(text, level):
                return f'<h{level + 1} id="{_slug(text)}">{self.text(text)}</h{level + 1}>'
            case Paragraph(text):
                return f"<p>{self.text(text)}</p>"
            case Equation(label, left, lines):
                number = f'<span class="number">({self.numbers[label]})</span>'
                return f'<div class="equation" id="eq-{label}">{displayed_mathematics(left, lines)}{number}</div>'
            case Table():
                return self.table(passage)
            case Figure(stem, caption):
                data = base64.b64encode(images[stem]).decode()
                image = f'<img alt="{html.escape(_plain(caption))}" src="data:image/svg+xml;base64,{data}">'
                return f"<figure>{image}<figcaption>{self.text(caption)}</figcaption></figure>"

    def table(self, passage: Table) -> str:
        head = "".join(f"<th>{self.text(cell)}</th>" for cell in passage.header)
        rows = ["<tr>" + "".join(f"<td>{self.text(cell)}</td>" for cell in row) + "</tr>" for row in passage.rows]
        caption = f"<p>{self.text(passage.caption)}</p>\n" if passage.caption else ""
        body = "\n".join(rows)
        return (
            f'{caption}<div class="table"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'
        )


def _plain(text: str) -> str:
    """Return text for where no formulas can stand."""
    return in_mathematics(text, lambda x: x.replace("\\", "")).replace("$", "")


def html_document(
    title: str, passages: Sequence[Passage], publications: Sequence[Publication], images: Mapping[str, bytes]
) -> str:
    """Return passages as one HTML file; ``images`` holds the SVG of every figure by its stem."""
    labels = [passage.label for passage in passages if isinstance(passage, Equation)]
    writer = _Writer(labels, [publication.key for publication in publications])
    parts = [f"<h1>{html.escape(title)}</h1>", *(writer.passage(passage, images) for passage in passages)]
    if publications:
        entries = []
        for x in publications:
            text = html.escape(x.text.replace("@version@", library_version()), quote=False)
            link = f' <a href="{html.escape(x.link)}">{html.escape(x.link)}</a>' if x.link else ""
            entries.append(f'<li id="ref-{x.key}">{text}{link}</li>')
        parts.append('<h2 id="references">References</h2>\n<ol>\n' + "\n".join(entries) + "\n</ol>")
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
    )
    return head + "\n".join(parts) + "\n</body>\n</html>\n"
