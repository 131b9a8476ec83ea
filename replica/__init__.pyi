from .checks.check import Check as Check
from .checks.verification import Verification as Verification, verify as verify
from .common.errors import (
    AttentionPhaseError as AttentionPhaseError,
    DerivationError as DerivationError,
    InvalidArgument as InvalidArgument,
    InvalidModel as InvalidModel,
    UnreadableFile as UnreadableFile,
)
from .derivation import (
    BrokenSymmetryDerivation as BrokenSymmetryDerivation,
    Derivation as Derivation,
    derive as derive,
    derive_broken_symmetry as derive_broken_symmetry,
)
from .equations.saddle_system import SaddleSystem as SaddleSystem, derive_saddle_system as derive_saddle_system
from .model.any_model import model_atoms as model_atoms
from .model.attention_model import AttentionModel as AttentionModel
from .model.functions.user_functions import (
    linear_attention as linear_attention,
    softmax as softmax,
    softmax_attention as softmax_attention,
)
from .model.multi_index_model import MultiIndexModel as MultiIndexModel
from .model.sample_class import SampleClass as SampleClass
from .model.spectrum import Spectrum as Spectrum, SpectrumAtom as SpectrumAtom
from .quantities.overlap_invariants import (
    invariant_errors as invariant_errors,
    overlap_invariants as overlap_invariants,
)
from .quantities.structure import ModelStructure as ModelStructure
from .reports.content.equation_content import derivation_passages as derivation_passages
from .reports.content.equation_report import EquationReport as EquationReport, equation_report as equation_report
from .reports.typesetting.naming import Naming as Naming
from .steps.step import DerivationStep as DerivationStep, DisplayedEquation as DisplayedEquation
from .symmetry.symmetries import Symmetries as Symmetries, Symmetry as Symmetry

__version__: str
