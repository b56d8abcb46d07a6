"""All samples: those for well-known base models, and the trained ones for the tiny base model."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from hub_ui.demo.build.samples.sample import File, Release, Sample, Trained
from hub_ui.demo.build.samples.tables import civitai, civitai_odd, huggingface, huggingface_odd, replicate, tiny
from hub_ui.demo.build.samples.trained import TrainedLora

SAMPLES: tuple[Sample, ...] = (
    *civitai.SAMPLES,
    *civitai_odd.SAMPLES,
    *huggingface.SAMPLES,
    *huggingface_odd.SAMPLES,
    *replicate.SAMPLES,
)


def catalogue(trained: Mapping[str, TrainedLora]) -> tuple[Sample, ...]:
    """Samples for the tiny base model come first, and only if their file exists."""
    return (*_tryable(trained), *SAMPLES)


def _tryable(trained: Mapping[str, TrainedLora]) -> Iterator[Sample]:
    for sample in tiny.SAMPLES:
        releases = tuple(_release(release, trained) for release in sample.releases if _is_there(release, trained))
        if releases:
            yield replace(sample, releases=releases)


def _is_there(release: Release, trained: Mapping[str, TrainedLora]) -> bool:
    return all(lora.name in trained for lora in _loras(release.files))


def _release(release: Release, trained: Mapping[str, TrainedLora]) -> Release:
    """The release with the metadata saved when its file was trained."""
    lora = trained[next(_loras(release.files)).name]
    first = release.lead - 1
    pictures = (*lora.pictures[first:], *lora.pictures[:first])
    return replace(release, words=lora.words, weight=lora.weight, pictures=pictures)


def _loras(files: tuple[File, ...]) -> Iterator[Trained]:
    return (file.content for file in files if isinstance(file.content, Trained))
