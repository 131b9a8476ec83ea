"""How message passing iterates is one value, checked when it is made."""

import numpy as np
import pytest

from replica.common.errors import InvalidArgument
from validation import MessagePassingSettings


def test_without_arguments_it_is_undamped_and_takes_every_iteration():
    settings = MessagePassingSettings(20)
    assert (settings.damping, settings.response, settings.tolerance) == (1.0, "stein", 0.0)


def test_responses_are_kept_as_numbers():
    assert MessagePassingSettings(2, response=np.array([0.1, 0.2])).response == (0.1, 0.2)
    assert MessagePassingSettings(2, response=[0.1, 0.2]) == MessagePassingSettings(2, response=(0.1, 0.2))
    # State evolution may be known further than is iterated.
    assert len(MessagePassingSettings(1, response=[0.1, 0.2]).response) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"iterations": 0}, "iterations must be a positive integer, got 0"),
        ({"iterations": 2.5}, r"iterations must be a positive integer, got 2\.5"),
        ({"damping": 1.5}, r"damping must be in \(0, 1\], one for none, got 1\.5"),
        ({"damping": 0.0}, r"damping must be in \(0, 1\], one for none, got 0\.0"),
        ({"response": "local"}, "response must be one of 'stein', 'regular' or values, got 'local'"),
        ({"response": None}, "response must be one of 'stein', 'regular' or values, got None"),
        ({"response": [0.1]}, "response must have a value for each of 2 iterations, got 1"),
        ({"response": [0.1, "0.2"]}, r"response\[1\] must be a real number, got '0\.2'"),
        ({"tolerance": -1.0}, r"tolerance must be at least 0, got -1\.0"),
    ],
)
def test_misuse_is_refused_when_it_is_made(arguments, said):
    with pytest.raises(InvalidArgument, match=said):
        MessagePassingSettings(**{"iterations": 2} | arguments)
