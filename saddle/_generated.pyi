"""The functions that ``replica.code_generation`` writes, as the hand-written numerics see them.

There is no module of this name at run time: the text of ``saddle/line_average.py`` is appended to the
generated functions, so that one self-contained module is compiled and cached.
"""

from collections.abc import Callable

import numpy as np

Floats = np.ndarray
Quad = tuple[float, float, float, float]

def compiled(function: Callable) -> Callable: ...
def entry_point(function: Callable) -> Callable: ...
def target_matrix(h_1: float, h_2: float, parameters: Floats) -> Quad: ...
def moreau_objective(
    z_1: float,
    z_2: float,
    w_1: float,
    w_2: float,
    V: float,
    T_11: float,
    T_12: float,
    T_21: float,
    T_22: float,
    parameters: Floats,
) -> tuple[float, float, float, float, float, float]: ...
def local_fields(
    common_mode: float,
    line_coordinate: float,
    h_1: float,
    h_2: float,
    q: float,
    m: float,
    V: float,
    theta: float,
    parameters: Floats,
) -> tuple[float, float]: ...
def channel_integrands(
    z_1: float,
    z_2: float,
    common_mode: float,
    line_coordinate: float,
    h_1: float,
    h_2: float,
    T_11: float,
    T_12: float,
    T_21: float,
    T_22: float,
    q: float,
    m: float,
    V: float,
    theta: float,
    parameters: Floats,
) -> tuple[float, ...]: ...
def channel_derivatives(
    z_1: float,
    z_2: float,
    H_11: float,
    H_12: float,
    H_22: float,
    common_mode: float,
    line_coordinate: float,
    h_1: float,
    h_2: float,
    q: float,
    m: float,
    V: float,
    theta: float,
    parameters: Floats,
) -> tuple[float, ...]: ...
def envelope_slopes(
    z_1: float,
    z_2: float,
    common_mode: float,
    line_coordinate: float,
    h_1: float,
    h_2: float,
    q: float,
    m: float,
    V: float,
    theta: float,
    parameters: Floats,
) -> tuple[float, float, float, float, float]: ...
