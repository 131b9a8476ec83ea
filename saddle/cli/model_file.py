"""Models from files: a Python file that defines ``model``, or a JSON file with a model's arguments."""

from __future__ import annotations

import contextlib
import json
import runpy
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replica.common.errors import InvalidModel, UnreadableFile

if TYPE_CHECKING:
    from replica.quantities.solvable_model import Model

__all__ = ["read_model"]

NAME = "model"


def read_model(file: str) -> Model:
    """Return the model that a file defines.

    Parameters
    ----------
    file
        A ``.py`` file, which is run and must define ``model``; or a ``.json`` file with what
        :meth:`replica.AttentionModel.to_dict` returns, or some of it.

    Raises
    ------
    InvalidModel
        If the file raises something, or what it defines is no attention model.
    UnreadableFile
        If there is no such file, or it is of another kind.
    """
    path = Path(file)
    if path.suffix not in (".py", ".json"):
        raise UnreadableFile(f"--model must be a file that ends with .py or .json, got {file!r}")
    if not path.is_file():
        raise UnreadableFile(f"--model: there is no file {file!r}")
    return _checked(file, _defined(path)) if path.suffix == ".py" else _from_json(path)


def _checked(file: str, defined: dict[str, Any]) -> Model:
    """Return the model among what a file defines."""
    from replica.model.attention_model import AttentionModel
    from replica.model.multi_index_model import MultiIndexModel

    if NAME not in defined:
        names = ", ".join(name for name in defined if not name.startswith("_")) or "nothing"
        raise InvalidModel(f"{file!r} must define {NAME!r}, but defines {names:.200}")
    model = defined[NAME]
    if isinstance(model, AttentionModel | MultiIndexModel):
        return model
    kind = type(model).__name__
    raise InvalidModel(
        f"{NAME!r} in {file!r} must be an AttentionModel or a MultiIndexModel, got a value of type {kind}"
    )


def _defined(path: Path) -> dict[str, Any]:
    """Run a Python file, and return what it defines; what it prints goes to standard error."""
    try:
        with contextlib.redirect_stdout(sys.stderr), _importable(path.parent):
            return runpy.run_path(str(path), run_name="attention_phase_model")
    except (Exception, SystemExit) as error:
        # Whatever a stranger's file raises, the user can mend it there; with --debug the traceback is shown.
        said = " ".join(str(error).split())
        raise InvalidModel(f"{str(path)!r} raises{_line(path, error)} {type(error).__name__}: {said:.300}") from error


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let a file import its neighbours, as Python does for a script."""
    place = str(folder.resolve())
    sys.path.insert(0, place)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(place)


def _line(path: Path, error: BaseException) -> str:
    """Return in which line of a file an error arose, if that is known."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f" in line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" in line {lines[-1]}" if lines else ""


def _from_json(path: Path) -> Model:
    from saddle.output.files.stored_inputs import model_from_dict

    file = str(path)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (RecursionError, ValueError) as error:
        raise UnreadableFile(f"{file!r} must hold JSON: {error}") from error
    if not isinstance(values, dict):
        raise UnreadableFile(f"{file!r} must hold an object with a model's arguments, got {json.dumps(values):.60}")
    try:
        return model_from_dict(values)
    except UnreadableFile as error:
        raise UnreadableFile(f"{file!r}: {error}") from error
