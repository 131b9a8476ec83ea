"""LaTeX mathematics as tokens: just enough to measure it, to break it and to rename letters in it."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["canonical", "group_end", "in_mathematics", "join", "tokenise", "unbalanced"]

_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\s+|[^\\\s]", re.DOTALL)
_TAKES_ONE = {"_", "^", r"\hat", r"\bar", r"\tilde", r"\vec"}
_MATHEMATICS = re.compile(r"(\$[^$]*\$)")


def tokenise(latex: str) -> list[str]:
    """Return commands and single characters; white space is dropped."""
    return [token for token in _TOKEN.findall(latex) if not token.isspace()]


def join(tokens: list[str]) -> str:
    """Return tokens as LaTeX, with a space after a command before a letter only."""
    parts: list[str] = []
    for token in tokens:
        if parts and parts[-1][0] == "\\" and parts[-1][-1].isalpha() and token[0].isalnum():
            parts.append(" ")
        parts.append(token)
    return "".join(parts)


def group_end(tokens: list[str], start: int) -> int:
    """Return the index behind the group (or the single token) that begins at ``start``."""
    if start >= len(tokens) or tokens[start] != "{":
        return min(start + 1, len(tokens))
    depth = 0
    for k in range(start, len(tokens)):
        depth += (tokens[k] == "{") - (tokens[k] == "}")
        if depth == 0:
            return k + 1
    return len(tokens)


def canonical(tokens: list[str]) -> list[str]:
    r"""Return tokens with scripts and accented letters in braces: ``q_1``, ``\hat V`` become ``q_{1}``, ``\hat{V}``."""
    result: list[str] = []
    for k, token in enumerate(tokens):
        scripted = k > 0 and tokens[k - 1] in _TAKES_ONE and token != "{"
        result += ["{", token, "}"] if scripted else [token]
    return result


def unbalanced(latex: str) -> bool:
    """Return whether braces do not pair up, scripts have no argument, or the end escapes what follows."""
    depth = 0
    tokens = tokenise(latex)
    for k, token in enumerate(tokens):
        depth += (token == "{") - (token == "}")
        if depth < 0 or (token in "_^" and (k + 1 == len(tokens) or tokens[k + 1] in "_^}")):
            return True
    return depth != 0 or latex.endswith("\\") or latex.count(r"\left") != latex.count(r"\right")


def in_mathematics(text: str, change: Callable[[str], str], outside: Callable[[str], str] = lambda x: x) -> str:
    """Return text with ``change`` applied to what stands between dollar signs, and ``outside`` to the rest."""
    parts = _MATHEMATICS.split(text)
    return "".join(f"${change(part[1:-1])}$" if part.startswith("$") else outside(part) for part in parts)
