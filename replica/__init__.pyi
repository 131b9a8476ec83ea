from .checks.check import Check as Check
from .checks.verification import Verification as Verification
from .checks.verification import verify as verify
from .common.errors import (
    AttentionPhaseError as AttentionPhaseError,
)
from .common.errors import (
    InvalidArgument as InvalidArgument,
)
from .common.errors import (
    InvalidModel as InvalidModel,
)
from .common.errors import (
    UnreadableFile as UnreadableFile,
)
from .derivation import Derivation as Derivation
from .derivation import derive as derive
from .equations.saddle_system import SaddleSystem as SaddleSystem
from .equations.saddle_system import derive_saddle_system as derive_saddle_system
from .model.any_model import model_atoms as model_atoms
from .model.attention_model import AttentionModel as AttentionModel
from .model.multi_index_model import MultiIndexModel as MultiIndexModel
from .model.spectrum import Spectrum as Spectrum
from .model.spectrum import SpectrumAtom as SpectrumAtom
from .model.user_functions import (
    linear_attention as linear_attention,
)
from .model.user_functions import (
    softmax as softmax,
)
from .model.user_functions import (
    softmax_attention as softmax_attention,
)
from .quantities.overlap_invariants import (
    invariant_errors as invariant_errors,
)
from .quantities.overlap_invariants import (
    overlap_invariants as overlap_invariants,
)
from .quantities.structure import ModelStructure as ModelStructure
from .reports.content.equation_content import derivation_blocks as derivation_blocks
from .reports.content.equation_report import EquationReport as EquationReport
from .reports.content.equation_report import equation_report as equation_report
from .reports.typesetting.naming import Naming as Naming
from .steps.step import DerivationStep as DerivationStep
from .steps.step import DisplayedEquation as DisplayedEquation
from .symmetry.reduced_system import InvariantSubspace as InvariantSubspace
from .symmetry.sectors import Sector as Sector
from .symmetry.symmetries import Symmetry as Symmetry
from .symmetry.symmetries import SymmetryGroup as SymmetryGroup
