from __future__ import annotations

import pytest

from hub_ui.widgets.render import address


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//host/x", "http://", "http://[x", "", None]
)
def test_only_web_addresses_reach_the_page(url: str | None) -> None:
    assert address(url) == ""
