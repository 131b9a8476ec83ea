"""A model and a quadrature rule as plain values for a results file, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from replica.common.errors import UnreadableFile, UnwritableFile
from replica.model.attention_model import AttentionModel
from saddle.averages.rules.body_centred import BodyCentredRule
from saddle.averages.rules.lattice import LineRule
from saddle.averages.rules.outer import OuterRule
from saddle.averages.rules.sobol import SobolRule
from saddle.output.files.json_values import from_plain

if TYPE_CHECKING:
    from replica.model.multi_index_model import MultiIndexModel

__all__ = ["model_from_dict", "rule_from_dict", "rule_to_dict"]

RULES = {rule.__name__: rule for rule in (LineRule, BodyCentredRule, SobolRule)}
# More would not fit into memory.
MOST_POINTS = 2**26


def model_from_dict(values: Mapping[str, Any]) -> AttentionModel | MultiIndexModel:
    """Return the model that its ``to_dict`` wrote; raises ValueError if it is none."""
    if values.get("kind") == "multi-index":
        # Only then: it imports SymPy.
        from replica.model.multi_index_model import MultiIndexModel

        try:
            return MultiIndexModel.from_dict(values)
        except (ArithmeticError, AttributeError, RecursionError, TypeError, ValueError) as error:
            raise UnreadableFile(f"model: {error}") from None
    known = {field.name for field in dataclasses.fields(AttentionModel)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise UnreadableFile(f"model has the unknown entry {unknown[0]!r:.40}")
    if "omega" not in values:
        raise UnreadableFile("model has no entry 'omega'")
    try:
        return AttentionModel(**values)
    except (ArithmeticError, AttributeError, RecursionError, TypeError, ValueError) as error:
        raise UnreadableFile(f"model: {error}") from None


def rule_to_dict(rule: OuterRule) -> dict[str, Any]:
    """Return a rule as plain values, for JSON; raises ValueError for a rule of another kind."""
    if not isinstance(rule, tuple(RULES.values())):
        raise UnwritableFile(f"only results on a {', a '.join(RULES)} can be stored, got {rule!r}")
    return {"kind": type(rule).__name__, **dataclasses.asdict(rule)}


def rule_from_dict(values: Mapping[str, Any]) -> OuterRule:
    """Return the rule that :func:`rule_to_dict` wrote; raises ValueError if it is none."""
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in RULES:
        raise UnreadableFile(f"the rule's kind must be {' or '.join(RULES)}, got {kind!r:.40}")
    rule = from_plain(RULES[kind], {name: value for name, value in values.items() if name != "kind"}, "rule")
    if isinstance(rule, SobolRule) and rule.points * rule.scrambles > MOST_POINTS:
        raise UnreadableFile(f"the rule must have {MOST_POINTS} points at most, got {rule.points * rule.scrambles}")
    return rule
