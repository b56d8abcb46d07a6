from __future__ import annotations

import pytest

from connectors.errors import UsageError
from hub_ui.generate.request import spread_weights


def test_weights_are_none_one_for_all_or_one_for_each() -> None:
    assert [spread_weights((), 2), spread_weights((0.5,), 2), spread_weights((0.1, 0.2), 2)] == [
        [None, None],
        [0.5, 0.5],
        [0.1, 0.2],
    ]
    with pytest.raises(UsageError, match=r"LoRAs: 3, weights: 2\. Give no weight, one for all"):
        spread_weights((0.1, 0.2), 3)
