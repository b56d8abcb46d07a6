from __future__ import annotations

import re

import diffusers
import pytest
import transformers

from connectors.claims import base_models
from hub_ui.generate.base_models import BASES, PipelineSpec

each = pytest.mark.parametrize("base", BASES, ids=lambda base: base.id)
# What the taxonomy has bases for and diffusers a pipeline.
ARCHITECTURES = (
    "anima", "auraflow", "chroma", "cogvideox", "cogview4", "flux1", "flux2", "hidream", "hunyuan-image",
    "hunyuan-video", "hunyuan-video-1.5", "krea2", "ltx-video", "ltx-video-2", "lumina2", "mochi", "pixart",
    "qwen-image", "qwen-image-2", "sana", "sd1", "sd2", "sd3", "sdxl", "tiny-shapes", "wan", "z-image",
)  # fmt: skip


def test_every_architecture_has_a_base() -> None:
    assert sorted({base.architecture for base in BASES}) == sorted(ARCHITECTURES)


def test_ids_are_told_apart() -> None:
    assert len({base.id for base in BASES}) == len(BASES)


@each
def test_the_lineage_is_the_taxonomy_s_own(base: PipelineSpec) -> None:
    known = base_models.by_id(base.lineage)
    assert known is not None
    assert known.architecture == base.architecture
    assert base.architecture in base_models.ARCHITECTURES


# Kolors' text encoder, whichever test imports it first.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@each
def test_the_pipeline_is_in_diffusers(base: PipelineSpec) -> None:
    assert hasattr(diffusers, base.pipeline)
    assert base.scheduler is None or hasattr(diffusers, base.scheduler)
    assert all(hasattr(transformers, borrowed.kind) for borrowed in base.shared_components)


@each
def test_a_commit_is_whole_or_left_out(base: PipelineSpec) -> None:
    pins = [base.revision, *(borrowed.revision for borrowed in base.shared_components)]
    pins += [base.checkpoint.revision] if base.checkpoint else []
    assert all(pin is None or re.fullmatch(r"[0-9a-f]{40}", pin) for pin in pins)


@each
def test_sizes_are_plausible(base: PipelineSpec) -> None:
    assert 0.1 <= base.gigabytes <= 200
    # Full precision on disk is twice what half precision takes; nothing fits without room for the picture.
    assert base.gigabytes / 2 < base.memory <= base.gigabytes * 1.5 + 1.2
    assert base.width % 16 == base.height % 16 == 0
    assert 1 <= base.steps <= 50
    assert 0 <= base.guidance <= 10


@each
def test_the_licence_is_named(base: PipelineSpec) -> None:
    assert base.license


def test_videos_have_a_length_and_come_after_images() -> None:
    videos = [base.video for base in BASES if base.video]
    assert [base.video for base in BASES][-len(videos) :] == videos
    assert all(video.frames > 8 and video.fps >= 8 for video in videos)


def test_most_repos_are_pinned() -> None:
    """Those without are the ones no commit could be found for, and the base that is in this package."""
    assert sorted(base.id for base in BASES if base.revision is None) == [
        "hidream", "hunyuan-image", "pony", "pony-v7", "tiny-shapes",
    ]  # fmt: skip
