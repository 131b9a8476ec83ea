"""The numbers of a model that transitions are continued in: by name, each with its value, and the model with others."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

import numpy as np

from replica.common.errors import InvalidModel
from replica.model.sample_class import names_of_classes
from replica.model.spectrum import Spectrum
from replica.quantities.names import model_parameters
from replica.quantities.solvable_model import Model

__all__ = ["line_parameters", "parameter_latex", "parameter_unit", "with_parameters"]

# Natural size of a parameter that may vanish, and of one of a probability's range.
UNIT = 0.3
# Those that are changed by factors.
SCALES = re.compile(r"sigma|regularization|eigenvalue_.*")
STATISTICS = ("token_trace", "teacher_variance")
SPECTRAL = re.compile(r"(eigenvalue|teacher_moment)_(\d+)(?:_(\d+))?")
LATEX = {"eigenvalue": r"\gamma", "teacher_moment": r"\langle\pi\pi^\top\rangle", "positional_gram": "G"}


def line_parameters(model: Model) -> dict[str, float]:
    """Return every number of a model that can be changed by itself, by name.

    These are omega, sigma, regularization, the entries of A ("positional_matrix_12") and of the encodings
    ("positional_encoding_1", or of their Gram matrix "positional_gram_12"), declared parameters by their own names,
    and, of a spectrum, the eigenvalues of every atom ("eigenvalue_1", for several groups of tokens "eigenvalue_1_2")
    and its teacher's moments ("teacher_moment_1", for several columns "teacher_moment_1_12"). A pair of equal
    off-diagonal entries of a symmetric matrix is one number. What classes of samples have values of is not among them.

    Examples
    --------
    >>> from replica import AttentionModel
    >>> list(line_parameters(AttentionModel.paper()))[:4]
    ['omega', 'sigma', 'regularization', 'positional_matrix_11']
    """
    values = {
        name: value
        for name, value in model.parameter_values().items()
        if not name.startswith(STATISTICS) and not (model.positional_gram is not None and "positional_enc" in name)
    }
    declared = dict(model.parameters)
    of_classes = names_of_classes(model)
    values = {name: value for name, value in values.items() if name not in declared and name not in of_classes}
    if model.positional_gram is not None:
        values |= _upper("positional_gram", model.gram)
    if isinstance(model.spectrum, Spectrum):
        groups = model.spectrum.group_eigenvalues()
        for n, atom in enumerate(model.spectrum.atoms, start=1):
            own = groups[n - 1]
            names = [f"eigenvalue_{n}"] if len(own) == 1 else [f"eigenvalue_{n}_{g + 1}" for g in range(len(own))]
            values |= dict(zip(names, map(float, own), strict=True))
            moments = np.eye(model.teacher_rank) if atom.teacher_moments is None else np.array(atom.teacher_moments)
            if model.teacher_rank == 1:
                values[f"teacher_moment_{n}"] = float(moments[0, 0])
            else:
                values |= _upper(f"teacher_moment_{n}", moments)
    return values | declared


def with_parameters(model: Model, changes: Mapping[str, float]) -> Model:
    """Return a model with other values of some of its ``line_parameters``.

    Raises
    ------
    InvalidModel
        If there is no such parameter or no such model, or its equations would be others: a group of tokens or a
        direction of encodings more or less, or moments that vanish.
    """
    known = line_parameters(model)
    for name in changes:
        if name not in known:
            raise InvalidModel(f"the model has no parameter {name!r}; it has {', '.join(known)}")
    changes = {name: float(value) for name, value in changes.items() if value != known[name]}
    if not changes:
        return model
    replaced = _replaced(model, changes)
    if replaced.structure != model.structure:
        shown = ", ".join(f"{name} = {value!r}" for name, value in changes.items())
        raise InvalidModel(f"the equations of the model are others at {shown}: its structure changes there")
    return replaced


def parameter_unit(name: str, value: float) -> float:
    """Return the natural size of a parameter's changes: of its own size, or a third where it may vanish."""
    return abs(value) if SCALES.fullmatch(name) else UNIT


def parameter_latex(model: Model, name: str) -> str:
    """Return the LaTeX symbol of one of a model's ``line_parameters``."""
    for quantity in model_parameters(model.structure):
        if quantity.name == name:
            return quantity.latex
    stem, *numbers = (part for part in re.split(r"_(?=\d)", name))
    if stem == "positional_gram":
        return f"{LATEX[stem]}_{{{numbers[0]}}}"
    entry = f"_{{{numbers[1]}}}" if len(numbers) > 1 else ""
    return f"{LATEX[stem]}^{{({numbers[0]})}}{entry}"


def _upper(stem: str, matrix: np.ndarray) -> dict[str, float]:
    """Return the entries on and above a symmetric matrix's diagonal, by name."""
    size = len(matrix)
    return {f"{stem}_{i + 1}{j + 1}": float(matrix[i, j]) for i in range(size) for j in range(i, size)}


def _replaced(model: Model, changes: Mapping[str, float]) -> Model:
    """Return the model with changes, each into the argument that holds it."""
    declared = dict(model.parameters)
    arguments: dict[str, object] = {}
    spectral: dict[str, float] = {}
    # A multi-index model has none of the first two.
    names = ("positional_matrix", "positional_encoding", "positional_gram")
    matrices = {name: np.array(getattr(model, name, None) or (), dtype=float) for name in names}
    for name, value in changes.items():
        stem, _, index = name.rpartition("_")
        if name in declared:
            declared[name] = value
            arguments["parameters"] = declared
        elif SPECTRAL.fullmatch(name):
            spectral[name] = value
        elif stem in matrices:
            place = tuple(int(digit) - 1 for digit in index)
            matrices[stem][place] = value
            if stem == "positional_gram":
                matrices[stem][place[::-1]] = value
            arguments[stem] = matrices[stem].tolist()
        else:
            arguments[name] = value
    if spectral:
        assert isinstance(model.spectrum, Spectrum)
        arguments["spectrum"] = _changed_spectrum(model.spectrum, model.teacher_rank, spectral)
    return dataclasses.replace(model, **arguments)


def _changed_spectrum(spectrum: Spectrum, teacher_rank: int, changes: Mapping[str, float]) -> Spectrum:
    """Return a spectrum with other eigenvalues or moments of some atoms."""
    atoms, groups = list(spectrum.atoms), spectrum.groups
    for name, value in changes.items():
        found = SPECTRAL.fullmatch(name)
        assert found is not None
        stem, n, entry = found[1], int(found[2]) - 1, found[3]
        if stem == "eigenvalue":
            group = 0 if entry is None else int(entry) - 1
            own = [value if groups[k] == group else x for k, x in enumerate(atoms[n].eigenvalues)]
            atoms[n] = dataclasses.replace(atoms[n], eigenvalues=own)
            continue
        given = atoms[n].teacher_moments
        moments = np.eye(teacher_rank) if given is None else np.array(given)
        i, j = (0, 0) if entry is None else (int(digit) - 1 for digit in entry)
        moments[i, j] = moments[j, i] = value
        atoms[n] = dataclasses.replace(atoms[n], teacher_moments=moments.tolist())
    return Spectrum(atoms)
