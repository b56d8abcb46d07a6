"""What a pull asks a hub: each question once."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from connectors.ref import Ref
from connectors.weights import inspect
from hub_ui.app import services
from hub_ui.app.services import Services
from hub_ui.settings import from_environment
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.hub_ui.library.shared_hubs import CONTRACT
from tests.recording import Recorder

HASH = "a" * 64


@pytest.fixture(scope="module")
def hubs(recorder: Recorder) -> Iterator[HubEndpoints]:
    with running_hubs(CONTRACT, around=recorder.around) as endpoints:
        yield endpoints


@pytest.fixture
def built(hubs: HubEndpoints, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "hf"))
    settings = from_environment({**hubs.as_env(), "HUB_UI_HOME": str(home), "REPLICATE_API_TOKEN": "r8_key"})
    with services.build(settings) as made:
        yield made


def asked(recorder: Recorder) -> list[str]:
    return [request.target for request in recorder.requests if request.origin != "delivery"]


def test_a_pull_from_civitai_asks_three_questions_beside_the_bytes(built: Services, recorder: Recorder) -> None:
    recorder.forget()
    entry = built.downloads.pull(Ref.parse("civitai:1001"))
    assert str(entry.ref) == "civitai:1001@2001#3001"
    assert asked(recorder) == [
        "/api/v1/models/1001",
        "/api/v1/model-versions/2001",
        "/api/download/models/2001?fileId=3001",
    ]


def test_a_pinned_pull_from_civitai_asks_no_more(built: Services, recorder: Recorder) -> None:
    recorder.forget()
    built.downloads.pull(Ref.parse("civitai:1001@2001#3001"))
    assert len(asked(recorder)) == 3


def test_a_pull_reads_a_files_header_once(built: Services) -> None:
    with patch.object(inspect, "_facts", wraps=inspect._facts) as reads:
        for ref in ("civitai:1001", "huggingface:maker/red#lora.safetensors", f"replicate:maker/tuned@{HASH}"):
            built.downloads.pull(Ref.parse(ref))
    assert reads.call_count == 3


@pytest.mark.parametrize(
    ("ref", "question"),
    [
        ("huggingface:maker/red#lora.safetensors", "/api/models/maker/red"),
        (f"replicate:maker/tuned@{HASH}", "/v1/models/maker/tuned"),
    ],
)
def test_other_hubs_are_asked_once_too(built: Services, recorder: Recorder, ref: str, question: str) -> None:
    recorder.forget()
    built.downloads.pull(Ref.parse(ref))
    assert [target.partition("?")[0] for target in asked(recorder)].count(question) == 1
