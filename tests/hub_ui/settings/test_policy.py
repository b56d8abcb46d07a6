from typing import get_args

import pytest

from connectors.errors import UsageError
from hub_ui.hosting.limits import Limits
from hub_ui.settings.policy import LOCAL, Action, hosted_policy


@pytest.mark.parametrize("action", get_args(Action))
def test_a_refusal_of_each_action_says_so_of_a_shared_page(action: Action) -> None:
    with pytest.raises(UsageError, match="shared page"):
        hosted_policy(Limits()).check(action, "SDXL 1.0")
    LOCAL.check(action)
