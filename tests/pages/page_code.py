"""The code of a page of the documentation: run block by block, and held against what the page shows."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["DOCS", "Block", "disagreement", "pages_with_code", "run_page"]

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(python|text|\{code-block\} python)\n(.*?)^```$", flags=re.M | re.S)
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])")
ERROR = re.compile(r"\+- \S+")


@dataclass(frozen=True)
class Block:
    """Code of a page, what it printed, and what the page says that it prints; None if the page says nothing."""

    code: str
    printed: str
    shown: str | None


def pages_with_code() -> set[str]:
    """Return the names, from the root, of all pages with code in Python."""
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    return {
        path.relative_to(ROOT).as_posix()
        for path in pages
        if any(kind != "text" for kind, _ in BLOCK.findall(path.read_text(encoding="utf-8")))
    }


def run_page(page: str, settings: Mapping[str, str] | None = None, names: dict[str, Any] | None = None) -> list[Block]:
    """Run a page's blocks one after the other, as one module.

    Parameters
    ----------
    page
        From the root.
    settings
        What to run instead of pieces of the page's code. Every piece must be there.
    names
        What the code defines is added to it.
    """
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    missing = set(settings or {})
    scope: dict[str, Any] = {} if names is None else names
    scope["__name__"] = "__main__"
    done: list[Block] = []
    for k, (kind, text) in enumerate(blocks):
        if kind == "text":
            continue
        code = text
        for piece, instead in (settings or {}).items():
            if piece in text:
                code, missing = code.replace(piece, instead), missing - {piece}
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(code, page, "exec"), scope)
        following = blocks[k + 1] if k + 1 < len(blocks) else ("", "")
        done.append(Block(text, output.getvalue(), following[1] if following[0] == "text" else None))
    assert not missing, f"{page} does not contain {sorted(missing)}"
    return done


def disagreement(printed: str, shown: str, share: float = 0.0) -> str | None:
    """Return how what was printed differs from what the page shows, or None if it does not.

    Words must be the same. A number must agree to the digits that are shown, up to two units of the last one (pages
    leave out digits beyond the accuracy), or to a share of itself if one is given; an error, after +-, to a factor of
    three, or not at all if a share is given.
    """
    for word, other in zip(_words(printed), _words(shown), strict=False):
        if word != other:
            return f"{word!r} where the page has {other!r}"
    if len(_words(printed)) != len(_words(shown)):
        return f"{len(_words(printed))} words where the page has {len(_words(shown))}:\n{printed}"
    for got, expected in zip(_errors(printed), _errors(shown), strict=True):
        if share == 0.0 and not 1 / 3 <= got / expected <= 3:
            return f"an error of {got} where the page has {expected}"
    for got, expected in zip(NUMBER.findall(_bare(printed)), NUMBER.findall(_bare(shown)), strict=True):
        allowed = share * abs(float(expected)) or 2 * _last_digit(expected)
        if abs(float(got) - float(expected)) > allowed:
            return f"{got} where the page has {expected}"
    return None


def _bare(text: str) -> str:
    return ERROR.sub("+-", text)


def _words(text: str) -> list[str]:
    return NUMBER.sub("#", _bare(text)).split()


def _errors(text: str) -> list[float]:
    return [float(x[3:]) for x in ERROR.findall(text)]


def _last_digit(number: str) -> float:
    mantissa, _, exponent = number.partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2])) if "." in number or exponent else 0.0
