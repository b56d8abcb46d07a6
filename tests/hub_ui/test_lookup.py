from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from connectors.errors import HubDown, HubUiError
from hub_ui import services
from hub_ui.settings import from_environment


def test_a_person_may_have_a_hub_asked_at_once_that_is_left_alone(home: Path) -> None:
    nobody = {f"{name}_ENDPOINT": "http://127.0.0.1:9" for name in ("CIVITAI", "HF", "REPLICATE")}
    with services.build(from_environment({**nobody, "HUB_UI_HOME": str(home)})) as built:
        breaker = built.lookup.guards["civitai"].breaker
        while breaker.state == "closed":
            with suppress(HubUiError), breaker.request() as request:
                request.is_sent = True
                raise HubDown("down")
        with pytest.raises(HubDown):
            breaker.check()
        built.lookup.ask_again("civitai")
        breaker.check()
        built.lookup.ask_again("a hub that is not here")
