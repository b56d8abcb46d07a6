from __future__ import annotations

import secrets

import pytest
from huggingface_hub import HfApi

from connectors.errors import HubDown
from hub_ui.space.files import SpaceSettings, find_space, open_api, push_space
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints

NAME = "local/by-hand"
NOTHING = SpaceSettings(variables={}, secrets={})


@pytest.fixture
def api(hubs: HubEndpoints) -> HfApi:
    return open_api(hubs.huggingface, "hf_member")


def push(api: HfApi, **files: bytes) -> str | None:
    named = {name.replace("_", "."): data for name, data in files.items()}
    return push_space(api, NAME, find_space(api, NAME), {"hub_ui/space/files.py": b"", **named}, NOTHING).commit


def test_a_large_file_that_can_not_be_uploaded_is_told_and_the_next_push_brings_it(
    api: HfApi, hubs: HubEndpoints
) -> None:
    weights = b"\0" + secrets.token_bytes(1000)
    push(api, a_txt=b"a")
    hubs.faults.add(Fault(kind="status", match="/uploads/", status=403))
    with pytest.raises(HubDown, match="The delivery host refuses the address"):
        push(api, a_txt=b"a", w_bin=weights)
    hubs.faults.clear()
    assert push(api, a_txt=b"a", w_bin=weights) is not None
    assert push(api, a_txt=b"a", w_bin=weights) is None


def test_a_repr_names_secrets_and_does_not_tell_them() -> None:
    settings = SpaceSettings(variables={"A": "1"}, secrets={"CIVITAI_TOKEN": "civ_secret"})
    assert "CIVITAI_TOKEN" in repr(settings)
    assert "civ_secret" not in repr(settings)
