"""Evaluate printed LaTeX as a reader would: an independent parser of fractions, powers, brackets and products."""

from __future__ import annotations

import re

TOKEN = re.compile(r"\\(?:bigg?|Bigg?)[lr]?|\\[A-Za-z]+|\\.|\s+|[^\\\s]")
NAME = {"hat", "star", "mathcal"}


class Parser:
    """Recursive descent over a list of tokens, with the values of symbols by their LaTeX without spaces."""

    def __init__(self, latex: str, values: dict[str, float]) -> None:
        sized = {
            r"\bigl",
            r"\bigr",
            r"\Bigl",
            r"\Bigr",
            r"\biggl",
            r"\biggr",
            r"\left",
            r"\right",
            r"\,",
            r"\;",
            r"\quad",
        }
        self.tokens = [t for t in TOKEN.findall(latex) if not t.isspace() and t not in sized]
        self.values, self.k = values, 0

    def peek(self) -> str:
        return self.tokens[self.k] if self.k < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        assert not expected or token == expected, (expected, self.tokens[self.k :])
        self.k += 1
        return token

    def sum(self) -> float:
        total = 0.0
        sign = 1.0
        if self.peek() in "+-" and self.peek():
            sign = -1.0 if self.take() == "-" else 1.0
        while True:
            total += sign * self.product()
            if self.peek() not in ("+", "-"):
                return total
            sign = -1.0 if self.take() == "-" else 1.0

    def product(self) -> float:
        value = self.power()
        while self.peek() and self.peek() not in ("+", "-", "}", ")", "]", r"\}", "="):
            if self.peek() == r"\times":
                self.take()
            value *= self.power()
        return value

    def group(self) -> float:
        self.take("{")
        value = self.sum()
        self.take("}")
        return value

    def power(self) -> float:
        base = self.atom()
        if self.peek() == "^":
            self.take()
            return base ** self.group()
        return base

    def atom(self) -> float:
        token = self.peek()
        if token in ("(", "[", r"\{"):
            self.take()
            value = self.sum()
            self.take({"(": ")", "[": "]", r"\{": r"\}"}[token])
            return value
        if token == r"\frac":
            self.take()
            return self.group() / self.group()
        if token == "{":
            return self.group()
        if token.isdigit():
            digits = self.take()
            while self.peek().isdigit():
                digits += self.take()
            return float(digits)
        return self.symbol()

    def symbol(self) -> float:
        rest = "".join(self.tokens[self.k :])
        name = max((x for x in self.values if rest.startswith(x)), key=len, default=None)
        assert name is not None, rest[:40]
        taken = 0
        while taken < len(name):
            taken += len(self.take())
        return self.values[name]


def latex_value(latex: str, values: dict[str, float]) -> float:
    """Return the value of an expression; ``values`` holds that of every symbol by its LaTeX without spaces."""
    parser = Parser(latex, values)
    value = parser.sum()
    assert parser.k == len(parser.tokens), parser.tokens[parser.k :]
    return value
