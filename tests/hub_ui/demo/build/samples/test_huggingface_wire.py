from datetime import date
from typing import Any

from hub_ui.demo.build.samples.huggingface_wire import at, commit_id, commits, model_object, paths
from hub_ui.demo.build.samples.sample import Sample
from tests.hub_ui.demo.build.samples.builders import release, sample

TODAY = date(2026, 9, 1)


def told(**said: Any) -> Sample:
    return sample("huggingface", **{"base": "some/base", "licence": "apache-2.0", **said})


def test_describes_the_repository() -> None:
    data = model_object(told(), TODAY)
    assert (data["id"], data["author"], data["gated"], data["downloads"]) == ("somebody/dunes", "somebody", False, 1000)
    assert data["lastModified"].startswith("2026-08-22T")
    assert data["cardData"]["base_model"] == "some/base"


def test_tags_follow_from_the_card() -> None:
    tags = model_object(told(), TODAY)["tags"]
    assert {"lora", "diffusers", "base_model:some/base", "base_model:adapter:some/base", "license:apache-2.0"} <= {
        *tags
    }


def test_lists_every_file() -> None:
    siblings = [each["rfilename"] for each in model_object(told(), TODAY)["siblings"]]
    assert siblings == [".gitattributes", "README.md", "images/dunes-dusk-1.webp", "lora.safetensors"]


def test_quirks_change_the_repository() -> None:
    assert model_object(told(quirks={"gated": "manual"}), TODAY)["gated"] == "manual"


def test_every_release_is_a_commit_with_its_card() -> None:
    both = told(releases=(release(name="second", days=1), release(name="first", days=5)))
    files = {at(both, each, path): {"text": path} for each in both.releases for path in paths(both, each)}
    newest, oldest = commits(both, files, TODAY)
    assert newest["sha"] == model_object(both, TODAY)["sha"]
    assert newest["sha"] != oldest["sha"]
    assert newest["files"]["lora.safetensors"] == {"text": "lora.safetensors"}
    assert oldest["readme"].startswith("---\n")


def test_a_pin_holds_on_another_day() -> None:
    assert model_object(told(), TODAY)["sha"] == model_object(told(), date(2027, 1, 1))["sha"]
    assert len(commit_id(told(), release())) == 40
