import pytest

from connectors.replicate.trainings import TRAINER, TRAINER_VERSION
from hub_ui.demo.hubs import replicate_official
from hub_ui.demo.hubs.replicate_official import fine_tune_version, loads, official


def test_the_trainer_is_the_one_that_is_asked_for() -> None:
    assert (replicate_official.TRAINER, replicate_official.TRAINER_VERSION) == (TRAINER, TRAINER_VERSION)
    assert official()[TRAINER]["latest_version"]["id"] == TRAINER_VERSION


def test_the_runners_are_official_and_the_trainer_is_not() -> None:
    assert {name: model["is_official"] for name, model in official().items()} == {
        "black-forest-labs/flux-dev-lora": True,
        "black-forest-labs/flux-schnell-lora": True,
        "ostris/flux-dev-lora-trainer": False,
    }


def test_a_trained_version_trains_nothing() -> None:
    version = fine_tune_version("a" * 64, "2026-08-01T10:00:00Z", official()[TRAINER]["latest_version"])
    schemas = version["openapi_schema"]["components"]["schemas"]
    assert "TrainingInput" not in schemas
    assert "replicate_weights" in schemas["Input"]["properties"]


@pytest.mark.parametrize(
    "address",
    [
        "maker/tuned",
        "maker/tuned/" + "a" * 64,
        "https://replicate.com/maker/tuned/versions/" + "a" * 64,
        "huggingface.co/ada/ink",
        "https://huggingface.co/ada/ink/ink.safetensors",
        "https://huggingface.co/ada/ink/resolve/main/deep/ink.safetensors",
        "https://civitai.com/models/1001/ink",
        "https://civitai.com/api/download/models/2001?type=Model",
        "https://replicate.delivery/x/trained_model.tar",
        "data:application/x-tar;base64,AA==",
    ],
)
def test_a_runner_loads_what_it_knows_the_form_of(address: str) -> None:
    assert loads(address)


@pytest.mark.parametrize("address", ["", "ink", 7, None, "https://civitai.red/models/1001", "https://x.org/ink.ckpt"])
def test_a_runner_loads_nothing_else(address: object) -> None:
    assert not loads(address)
