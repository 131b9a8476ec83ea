"""A model's numbers as its kernel wants them."""

from __future__ import annotations

import numpy as np

from replica.model.parameter_values import group_statistics
from replica.model.sample_class import class_numbers
from replica.model.spectrum import Spectrum
from replica.quantities.names import model_parameters
from replica.quantities.solvable_model import Model

__all__ = ["class_parameter_vectors", "parameter_vector", "teacher_variances"]


def class_parameter_vectors(model: Model) -> tuple[tuple[float, np.ndarray], ...]:
    """Return the probability of every class of samples, and its parameters in the kernel's order, (n_parameters,)."""
    names = [quantity.name for quantity in model_parameters(model.structure)]
    return tuple((one.probability, np.array([one.parameters[name] for name in names])) for one in class_numbers(model))


def parameter_vector(model: Model) -> np.ndarray:
    """Return the model's parameters in the kernel's order, (n_parameters,); where classes differ, the mean over them.

    That is what the prior takes, which knows nothing of samples.
    """
    values = model.parameter_values()
    return np.array([values[quantity.name] for quantity in model_parameters(model.structure)])


def teacher_variances(model: Model) -> np.ndarray:
    r"""Return the variances :math:`\rho_g = Q_\star^\top \Sigma_g Q_\star/d` of every group, (groups, t, t)."""
    layout = model.structure.layout
    count, t = layout.group_count, layout.teacher_rank
    if not isinstance(model.spectrum, Spectrum):
        return np.broadcast_to(model.parameter_values()["sigma"] ** 2 * np.eye(t), (count, t, t))
    return group_statistics(model.spectrum, model.gram, t)[1]
