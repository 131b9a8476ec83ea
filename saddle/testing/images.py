"""Images of a model under maps that leave its diagram as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from replica.model.attention_model import AttentionModel
from replica.model.functions.user_functions import matrix_from_text
from replica.model.spectrum import Spectrum, SpectrumAtom
from replica.quantities.solvable_model import Model, require_model

__all__ = ["images_of"]

# Of entries of attention and target, at numbers drawn at random.
ROUNDING = 1e-9
INDEXED = re.compile(r"([zhcA])_(\d)(\d?)")


def images_of(model: Model) -> dict[str, Model]:
    """Return models with the same diagram as a given one, by what was done to it.

    Tokens renamed (two of them, and all in a circle), if attention and target know no order but that of A and of the
    encodings; encodings reversed; the sums of A's rows reflected at one, if softmax attention learns the default target
    and all tokens have the same variance; a spectrum's atoms in reverse order, and the first one as two halves. What is
    the model itself, or there already, is left out.

    Parameters
    ----------
    model
        The model.

    Examples
    --------
    >>> model = AttentionModel(0.3, positional_matrix=[[0.7, 0.3], [0.2, 0.8]])
    >>> list(images_of(model))
    ['tokens renamed 2, 1', 'encodings reversed']
    """
    require_model(model, "images of a model")
    found: dict[str, Model] = {}
    for name, image in _images(model):
        if image != model and image not in found.values():
            found[name] = image
    return found


def _images(model: Model) -> Iterator[tuple[str, Model]]:
    if not isinstance(model, AttentionModel):
        yield from _of_spectrum(model)
        return
    places = range(model.sequence_length)
    for order in ((1, 0, *places[2:]), (*places[1:], 0)):
        if _knows_no_order(model, order):
            yield f"tokens renamed {', '.join(str(place + 1) for place in order)}", _renamed(model, order)
    if model.positional_encoding is not None:
        # Everything reflected in the direction of the encodings: only their sign is a number of the model.
        reversed_ = [-x for x in model.positional_encoding]
        if "c_" not in f"{model.attention}{model.target}":
            yield "encodings reversed", replace(model, positional_encoding=reversed_)
    yield from _shifted(model)
    yield from _of_spectrum(model)


def _of_spectrum(model: Model) -> Iterator[tuple[str, Model]]:
    if isinstance(model.spectrum, Spectrum):
        atoms = list(model.spectrum.atoms)
        yield "atoms in reverse order", replace(model, spectrum=Spectrum(atoms[::-1]))
        half = replace(atoms[0], weight=0.5 * atoms[0].weight)
        yield "an atom as two halves", replace(model, spectrum=Spectrum([half, half, *atoms[1:]]))


def _shifted(model: AttentionModel) -> Iterator[tuple[str, AttentionModel]]:
    r"""Yield the model with A + u 1^T for A, where u_i = 2 (1 - a_i)/L and a_i is the sum of A's row i.

    T - S then changes along (1, ..., 1) only, along which it is omega (a_i - 1), whatever the fields are; that becomes
    its opposite, and every loss stays as it is.
    """
    equal = model.spectrum is None or model.structure.groups == (0,) * model.sequence_length
    if equal and not model.attention and not model.target:
        matrix = np.array(model.positional_matrix)
        shift = 2.0 * (1.0 - matrix.sum(axis=1)) / len(matrix)
        if np.abs(shift).max() > ROUNDING:
            yield "sums of A's rows reflected", replace(model, positional_matrix=(matrix + shift[:, None]).tolist())


def _renamed(model: AttentionModel, order: Sequence[int]) -> AttentionModel:
    """Return the model in which token l is what token order[l] was."""
    both, own = np.ix_(order, order), list(order)
    changes: dict[str, object] = {"positional_matrix": np.array(model.positional_matrix)[both].tolist()}
    if model.positional_encoding is not None:
        changes["positional_encoding"] = np.array(model.positional_encoding)[own].tolist()
    if model.positional_gram is not None:
        changes["positional_gram"] = np.array(model.positional_gram)[both].tolist()
    if isinstance(model.spectrum, Spectrum):
        changes["spectrum"] = Spectrum([_renamed_atom(atom, own) for atom in model.spectrum.atoms])
    return replace(model, **changes)  # pyright: ignore[reportArgumentType]  by name


def _renamed_atom(atom: SpectrumAtom, order: list[int]) -> SpectrumAtom:
    moments, mixed = atom.positional_moments, atom.mixed_moments
    return replace(
        atom,
        eigenvalues=[atom.eigenvalues[place] for place in order],
        positional_moments=None if moments is None else np.array(moments)[np.ix_(order, order)].tolist(),
        mixed_moments=None if mixed is None else np.array(mixed)[order].tolist(),
    )


def _knows_no_order(model: AttentionModel, order: Sequence[int]) -> bool:
    """Return whether a user's attention and target of renamed tokens are those of the tokens, renamed."""
    return all(_is_equivariant(str(text), order) for text in (model.attention, model.target) if text)


def _is_equivariant(text: str, order: Sequence[int]) -> bool:
    matrix = matrix_from_text(text)
    names = sorted({str(x) for x in matrix.free_symbols})
    numbers = np.random.default_rng(1)
    values: dict[str, float] = {}

    def value(name: str) -> float:
        return values.setdefault(name, float(numbers.uniform(0.2, 1.2)))

    def renamed(name: str) -> str:
        found = INDEXED.fullmatch(name)
        if found is None:
            return name
        letter, first, second = found.groups()
        first = str(order[int(first) - 1] + 1)
        return f"{letter}_{first}{str(order[int(second) - 1] + 1) if letter == 'A' else second}"

    def entries(named: dict[str, float]) -> np.ndarray:
        at = {x: named[str(x)] for x in matrix.free_symbols}
        return np.array(matrix.subs(at).evalf().tolist(), dtype=float)

    here = entries({name: value(name) for name in names})
    there = entries({name: value(renamed(name)) for name in names})
    return bool(np.allclose(there, here[np.ix_(order, order)], rtol=0.0, atol=ROUNDING))
