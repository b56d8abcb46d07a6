from __future__ import annotations

import pytest

from connectors.record import Claim, Lora, Version, WeightFile
from connectors.ref import Ref
from connectors.weights.wan_experts import noise_of, other_half

REPO = Ref.parse("hf:a/boats@" + "1" * 40)
MODEL = Ref.parse("civitai:1")


def lora(ref: Ref, *versions: Version, architecture: str = "wan") -> Lora:
    claim = Claim(field="architecture", value=architecture, source="hub", where="baseModel")
    return Lora(ref=ref.lora, title="Boats", url="", versions=versions, claims=(claim,))


def version(ref: Ref, name: str, *files: str) -> Version:
    named = tuple(WeightFile(ref=ref.at(ref.version, file), name=f"{file}.safetensors") for file in files)
    return Version(ref=ref, name=name, files=named)


@pytest.mark.parametrize(
    ("name", "noise"),
    [
        ("boats_high_noise.safetensors", "high"),
        ("Boats-LowNoise-v2", "low"),
        ("boats_low", "low"),
        ("low poly boats", None),
        ("high noise and low noise", None),
        ("highlands", None),
    ],
)
def test_a_name_says_which_network_it_is_for(name: str, noise: str | None) -> None:
    assert noise_of(name) == noise


def test_two_files_of_one_version_are_a_pair_both_ways() -> None:
    boats = lora(REPO, version(REPO, "main", "boats_high_noise_v2", "boats_low_noise_v2", "other_low_noise"))
    high, low = REPO.at(REPO.version, "boats_high_noise_v2"), REPO.at(REPO.version, "boats_low_noise_v2")
    assert (other_half(boats, high), other_half(boats, low)) == (low, high)
    assert other_half(boats, REPO.at(REPO.version, "other_low_noise")) is None


def test_two_versions_of_a_model_are_a_pair_where_their_names_say_so() -> None:
    first, second = MODEL.at("2"), MODEL.at("3")
    boats = lora(MODEL, version(first, "Wan 2.2 High", "11"), version(second, "Wan 2.2 Low", "12"))
    assert other_half(boats, first.at("2", "11")) == second.at("3", "12")


def test_a_newer_pair_under_the_same_names_leaves_no_choice_to_make() -> None:
    old, new = MODEL.at("2"), MODEL.at("3")
    files = ("boats_high_noise", "boats_low_noise")
    boats = lora(MODEL, version(new, "v2", *files), version(old, "v1", *files))
    assert other_half(boats, old.at("2", "boats_high_noise")) == old.at("2", "boats_low_noise")


@pytest.mark.parametrize(
    ("files", "architecture"),
    [
        (("boats_high_noise",), "wan"),
        (("boats_high_noise", "boats_low_noise"), "sdxl"),
        (("boats", "boats_low_noise"), "wan"),
    ],
)
def test_anything_else_is_whole_by_itself(files: tuple[str, ...], architecture: str) -> None:
    boats = lora(REPO, version(REPO, "main", *files), architecture=architecture)
    assert other_half(boats, REPO.at(REPO.version, files[0])) is None
