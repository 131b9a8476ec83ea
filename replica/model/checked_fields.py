"""What an ``AttentionModel`` checks and converts when it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from replica.common.checked_arguments import checked_items, quoted
from replica.common.checked_values import coefficients, count, finite_number, positive, real_matrix, square_matrix
from replica.common.errors import InvalidModel
from replica.model.spectrum import Spectrum, SpectrumAtom, gram_factor
from replica.quantities.names import is_parameter_name, model_parameters
from replica.quantities.structure import LARGEST, PAPER_LENGTH, ModelStructure

__all__ = ["checked_fields", "checked_parameters", "checked_spectrum", "settled"]

PAPER_SIGMA = 0.5
PAPER_MATRIX = ((0.6, 0.4), (0.4, 0.6))
PAPER_ENCODING = (1.0, -1.0)


def checked_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return every field of a model as a plain immutable value.

    Parameters
    ----------
    given
        What the user gave, by the names of the fields.

    Raises
    ------
    ValueError
        If a value is out of range, of the wrong shape or not finite, or a function is not as it must be; the message
        quotes the offending piece.
    """
    model = SimpleNamespace(**given)
    for name in ("positional_matrix", "positional_encoding", "positional_gram", "spectrum", "parameters"):
        setattr(model, name, settled(name, getattr(model, name)))
    omega = finite_number("omega", model.omega)
    if not 0.0 <= omega <= 1.0:
        raise InvalidModel(f"omega must lie in [0, 1], got {omega!r}")
    regularization = positive("regularization", model.regularization)
    spectrum = checked_spectrum(model.spectrum)
    length = _sequence_length(model, spectrum)
    encodings = _encodings(model, length)
    teacher_rank = count("teacher_rank", model.teacher_rank, 1, LARGEST)
    if spectrum is not None:
        own, gram = encodings["positional_encoding"], encodings["positional_gram"]
        spectrum.moments(np.outer(own, own) if gram is None else np.array(gram), teacher_rank)
    rank = count("rank", model.rank, 1, LARGEST)
    parameters = checked_parameters(model.parameters)
    functions = _functions(model, length, {"attention": rank, "target": teacher_rank})
    if parameters:
        from replica.model.functions.given_functions import check_parameters_used, symbols_in_text

        used = set().union(*map(symbols_in_text, functions.values()))
        check_parameters_used(dict(parameters), used, "attention or target")
    return {
        "omega": omega,
        "sigma": _sigma(model.sigma, spectrum),
        "regularization": regularization,
        "sequence_length": length,
        "positional_matrix": _positional_matrix(model, length, omega),
        "rank": rank,
        "teacher_rank": teacher_rank,
        "spectrum": spectrum,
        "parameters": parameters,
        **encodings,
        **functions,
    }


def settled(name: str, value: Any) -> Any:
    """Return what is read more than once as something that can be: iterators, also as rows, as lists."""
    if isinstance(value, Iterator):
        value = checked_items(name, value, error=InvalidModel)
    if isinstance(value, list | tuple) and any(isinstance(row, Iterator) for row in value):
        return [checked_items(name, row, error=InvalidModel) if isinstance(row, Iterator) else row for row in value]
    return value


def checked_spectrum(value: Any) -> Spectrum | None:
    """Return a spectrum, given as such or as the fields of its atoms."""
    if value is None or isinstance(value, Spectrum):
        return value
    what = "a Spectrum, or a sequence of the fields of its atoms"
    atoms = checked_items("spectrum", value, what, error=InvalidModel)
    fields = SpectrumAtom.__dataclass_fields__
    for atom in atoms:
        if not isinstance(atom, Mapping) or not {"weight", "eigenvalues"} <= {*atom} <= {*fields}:
            raise InvalidModel(f"spectrum must be {what}, which are {', '.join(fields)}, got {quoted(atom)}")
    try:
        return Spectrum(tuple(SpectrumAtom(**atom) for atom in atoms))
    except InvalidModel as error:
        raise InvalidModel(f"spectrum: {error}") from None


def _sigma(value: Any, spectrum: Spectrum | None) -> float | None:
    if spectrum is not None:
        if value is not None:
            raise InvalidModel(f"sigma must be None where a spectrum gives the variances, got {quoted(value)}")
        return None
    return PAPER_SIGMA if value is None else positive("sigma", value)


def _sequence_length(model: SimpleNamespace, spectrum: Spectrum | None) -> int:
    """Return the number of tokens that all arguments agree on."""
    said: dict[str, int] = {}
    if model.sequence_length is not None:
        said["sequence_length"] = count("sequence_length", model.sequence_length, PAPER_LENGTH, LARGEST)
    if model.positional_matrix is not None:
        matrix = square_matrix("positional_matrix", model.positional_matrix, PAPER_LENGTH, LARGEST)
        said["positional_matrix"] = len(matrix)
    if model.positional_gram is not None:
        said["positional_gram"] = len(square_matrix("positional_gram", model.positional_gram, PAPER_LENGTH, LARGEST))
    if spectrum is not None:
        said["spectrum"] = count("the spectrum's number of tokens", spectrum.sequence_length, PAPER_LENGTH, LARGEST)
    if not said and model.positional_encoding is not None:
        what = f"a sequence of coefficients, one per token, {PAPER_LENGTH} to {LARGEST}"
        size = len(checked_items("positional_encoding", model.positional_encoding, what, error=InvalidModel))
        if not PAPER_LENGTH <= size <= LARGEST:
            raise InvalidModel(f"positional_encoding must be {what}, got {quoted(model.positional_encoding)}")
        return size
    if len(set(said.values())) > 1:
        raise InvalidModel(f"arguments must agree on the number of tokens, got {said!r}; change all of them together")
    return next(iter(said.values()), PAPER_LENGTH)


def _positional_matrix(model: SimpleNamespace, length: int, omega: float) -> tuple[tuple[float, ...], ...]:
    if model.positional_matrix is not None:
        return square_matrix("positional_matrix", model.positional_matrix, PAPER_LENGTH, LARGEST)
    if length == PAPER_LENGTH:
        return PAPER_MATRIX
    if omega == 0.0 or model.target:
        return ((1.0 / length,) * length,) * length
    raise InvalidModel(
        f"positional_matrix must be given for {length} tokens with omega = {omega!r} "
        f"(positional_encoding = {model.positional_encoding!r})"
    )


def _encodings(model: SimpleNamespace, length: int) -> dict[str, Any]:
    """Return the encodings as coefficients where they lie along one direction, and as a Gram matrix elsewhere."""
    if model.positional_gram is None:
        if model.positional_encoding is None and length != PAPER_LENGTH:
            raise InvalidModel(f"positional_encoding or positional_gram must be given for {length} tokens")
        given = PAPER_ENCODING if model.positional_encoding is None else model.positional_encoding
        return {"positional_encoding": coefficients("positional_encoding", given, length), "positional_gram": None}
    if model.positional_encoding is not None:
        raise InvalidModel(
            "positional_encoding must be None where positional_gram is given, "
            f"got {quoted(model.positional_encoding)} and {quoted(model.positional_gram)}"
        )
    gram = real_matrix("positional_gram", model.positional_gram, (length, length))
    factor = gram_factor(np.array(gram))
    if factor.shape[1] == 0:
        raise InvalidModel(
            f"positional_gram must not vanish, got {gram!r}: without encodings position is invisible, and there is "
            "neither an overlap m nor a positional solution; give them any size"
        )
    if factor.shape[1] == 1:
        return {"positional_encoding": tuple(factor[:, 0].tolist()), "positional_gram": None}
    return {"positional_encoding": None, "positional_gram": gram}


def checked_parameters(values: Any) -> tuple[tuple[str, float], ...]:
    """Return values of further symbols as pairs, sorted by name."""
    try:
        listed = [*values.items()] if isinstance(values, Mapping) else checked_items("parameters", values)
        pairs = [(name, value) for name, value in listed]
    except (TypeError, ValueError):
        pairs = [(None, None)]
    if not all(isinstance(name, str) for name, _ in pairs):
        raise InvalidModel(f"parameters must map names to numbers, got {quoted(values)}")
    pairs = sorted(((str(name), value) for name, value in pairs), key=lambda pair: pair[0])
    for k, (name, _) in enumerate(pairs):
        if k and name == pairs[k - 1][0]:
            raise InvalidModel(f"parameters must have one value each, got {name!r} twice")
        if not is_parameter_name(name):
            raise InvalidModel(
                f"parameters must have names that are identifiers and not used by the model itself, got {name!r}"
            )
    return tuple((name, finite_number(f"parameters[{name!r}]", value)) for name, value in pairs)


def _functions(model: SimpleNamespace, length: int, columns: Mapping[str, int]) -> dict[str, str]:
    """Return attention and target, of so many columns, as texts; the default's is empty: it needs no SymPy."""
    texts = {}
    for name in columns:
        function = getattr(model, name)
        default = function is None or (isinstance(function, str) and not function)
        texts[name] = "" if default else _text(model, name, function, length, columns[name])
    return texts


def _text(model: SimpleNamespace, name: str, function: Any, length: int, columns: int) -> str:
    import sympy as sp

    from replica.model.functions.given_functions import called_on_symbols, check_text
    from replica.model.functions.user_functions import matrix_to_text
    from replica.quantities import symbols

    if not isinstance(function, str) and not callable(function):
        raise InvalidModel(f"{name} must be a function of the matrix of pre-activations, got {quoted(function)}")
    names = tuple(dict(checked_parameters(model.parameters)))
    structure = ModelStructure(length, isotropic=model.spectrum is None, parameter_names=names)
    known = [symbols.parameter_symbol(x) for x in model_parameters(structure)]
    fields = sp.Matrix(length, columns, symbols.teacher_fields(length, columns))
    smooth, given = name == "attention", isinstance(function, str)
    text = matrix_to_text(name, function if given else called_on_symbols(name, function), fields, known, smooth=smooth)
    check_text(name, text, fields.free_symbols, smooth=smooth)
    return text
