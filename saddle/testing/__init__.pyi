from .agreement import contradictions as contradictions
from .asking import Asking as Asking, askings as askings, solve_settings as solve_settings
from .assertions import (
    assert_agree as assert_agree,
    assert_askings_agree as assert_askings_agree,
    assert_explained as assert_explained,
    assert_stationary as assert_stationary,
    assert_survives as assert_survives,
    assert_symmetric as assert_symmetric,
)
from .images import images_of as images_of
from .model_strategies import (
    attention_models as attention_models,
    lively_models as lively_models,
    paper_like_models as paper_like_models,
    two_token_models as two_token_models,
    wide_models as wide_models,
    written_models as written_models,
)
from .multi_index_strategies import multi_index_models as multi_index_models
from .spectrum_strategies import spectra as spectra
from .state_strategies import states as states
