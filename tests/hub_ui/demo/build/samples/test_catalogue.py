from collections import Counter
from pathlib import Path

from hub_ui.demo.build.samples.catalogue import SAMPLES, catalogue
from hub_ui.demo.build.samples.sample import Picture, Release, Trained, Weights
from hub_ui.demo.build.samples.trained import TrainedLora, trained_loras


def test_covers_the_three_hubs() -> None:
    assert Counter(sample.hub for sample in SAMPLES) == {"civitai": 22, "huggingface": 18, "replicate": 6}


def test_covers_all_kinds() -> None:
    assert {sample.kind for sample in SAMPLES} == {"character", "style", "concept", "control", "tool", None}


def test_no_two_samples_share_a_name_on_a_hub() -> None:
    names = [(sample.hub, sample.id or sample.name) for sample in SAMPLES]
    assert len(names) == len(set(names))


def test_one_is_told_twice_with_the_same_bytes() -> None:
    files = [(sample.hub, file.content) for sample in SAMPLES for r in sample.releases for file in r.files]
    seen = {content: {hub for hub, other in files if other == content} for _, content in files}
    shared = [content for content, hubs in seen.items() if len(hubs) > 1 and isinstance(content, Weights)]
    assert [content.words[0] for content in shared] == ["odile"]


def test_promises_nothing_for_the_tiny_base_without_trained_files() -> None:
    assert catalogue({}) == SAMPLES


def test_puts_what_can_be_tried_first(weights: Path) -> None:
    first = [sample.title for sample in catalogue(trained_loras(weights))[:11]]
    assert first == [
        "Ink Outline",
        "Top Hat",
        "Neon Night",
        "Place Left",
        "Zog, a Friendly Monster",
        "SKS Robot",
        "Snowfall",
        "Size Slider",
        "Neon Night",
        "Ink Outline",
        "SKS Robot",
    ]


def test_takes_words_and_pictures_from_the_training(weights: Path) -> None:
    robot = next(sample for sample in catalogue(trained_loras(weights)) if sample.id == 900103)
    newest = robot.releases[0]
    assert newest.words == ("sks-robot word",)
    assert newest.weight == 0.9
    assert [picture.prompt for picture in newest.pictures] == ["a red star, sks-robot"]


def test_the_leading_picture_comes_first() -> None:
    shown = tuple(Picture(name=name, prompt="") for name in ("tree-1", "tree-2", "tree-3"))
    lora = TrainedLora(name="snowfall", path=Path("snowfall.safetensors"), words=(), weight=1, pictures=shown)
    snowfall = next(sample for sample in catalogue({"snowfall": lora}) if sample.name == "snowfall")
    assert [picture.name for picture in snowfall.releases[0].pictures] == ["tree-2", "tree-3", "tree-1"]


def test_keeps_an_earlier_version_only_where_it_was_trained(weights: Path) -> None:
    by_name = {sample.name: sample.releases for sample in catalogue(trained_loras(weights))}
    assert _trained_names(by_name["sks-robot"]) == ["sks-robot", "sks-robot-v1"]
    assert _trained_names(by_name["shapeworks/ink-outline"]) == ["ink-outline"]


def test_what_can_be_tried_leads_every_hub_by_downloads(weights: Path) -> None:
    samples = catalogue(trained_loras(weights))
    for hub in ("civitai", "huggingface", "replicate"):
        ranked = sorted((s for s in samples if s.hub == hub), key=lambda s: s.downloads or 0, reverse=True)
        assert all(isinstance(sample.releases[0].files[0].content, Trained) for sample in ranked[:3])


def _trained_names(releases: tuple[Release, ...]) -> list[str]:
    return [file.content.name for r in releases for file in r.files if isinstance(file.content, Trained)]
