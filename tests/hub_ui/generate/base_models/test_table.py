from __future__ import annotations

import re

import diffusers
import pytest
import transformers

from connectors.claims import base_models
from connectors.claims.base_model import read_tables
from connectors.errors import UsageError
from hub_ui.generate.base_models import BASES, PipelineSpec
from hub_ui.generate.base_models.spec import Activations, Decoding, ModelSize, NetworkFile
from hub_ui.generate.base_models.table import read_pipelines

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


FILE = """
[components]
clip = { parameters = 100, largest = 10 }

[decoders]
kl = { pixel = 1.5, tiled = 4 }

[checkpoints]

[[base]]
id = "new"
label = "New"
architecture = "new"
license = "MIT"

[[base.pipeline]]
id = "new-1"
label = "New 1"
pipeline = "NewPipeline"
source = "someone/new-1"
gigabytes = 12.0
steps = 20
guidance = 4
video = { frames = 9, fps = 8 }
activations = { fixed = 7, pixel = 2.5, decoding = "kl" }
parts = { transformer = { parameters = 1_000, largest = 20 }, text_encoder = "clip" }
gguf = { repo = "someone/packed", name = "high", second = "low", gigabytes = { Q8_0 = 1.5 } }

[[base.pipeline]]
id = "new-1-turbo"
label = "New 1 Turbo"
pipeline = "NewPipeline"
source = "someone/new-1-turbo"
gigabytes = 12.0
memory = 9.0
steps = 4
guidance = 0
parts = "new-1"
activations = "new-1"
"""


def test_a_block_is_a_base_with_its_parts_activations_and_files() -> None:
    found = read_pipelines(read_tables(FILE))
    first, turbo = found.bases
    assert (first.lineage, first.architecture, first.license, first.width, first.memory) == (
        "new", "new", "MIT", 1024, 15.0,
    )  # fmt: skip
    assert (turbo.lineage, turbo.memory, turbo.video) == ("new", 9.0, None)
    assert found.parts["new-1"] == {"transformer": ModelSize(1000, 20), "text_encoder": ModelSize(100, 10)}
    assert found.activations["new-1"] == Activations(7, 2.5, Decoding(1.5, 4))
    assert (found.parts["new-1-turbo"], found.activations["new-1-turbo"]) == (
        found.parts["new-1"], found.activations["new-1"],
    )  # fmt: skip
    assert found.files["new-1"] == (
        NetworkFile(
            precision="gguf-q8_0", repo="someone/packed", file="high-Q8_0.gguf", gigabytes=1.5, second="low-Q8_0.gguf"
        ),
    )


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("steps = 20\n", "", "pipeline new-1: Object missing required field `steps`"),
        ("steps = 20", "steps = 2.5", "pipeline new-1: Expected `int`, got `float` - at `$.steps`"),
        ("steps = 20", "steps = 20\nstep = 3", "pipeline new-1: there is no key `step`"),
        ("fps = 8", "fps = 8, rate = 1", "pipeline new-1: there is no key `video.rate`"),
        ("pixel = 2.5, ", "", "pipeline new-1, activations: Object missing required field `pixel`"),
        ('decoding = "kl"', 'decoding = "km"', "pipeline new-1, activations.decoding: nothing above is called km"),
        ('= "clip"', '= "clap"', "pipeline new-1, parts.text_encoder: nothing above is called clap"),
        ("largest = 20 }", "most = 20 }", "pipeline new-1, parts.transformer: Object missing required field `largest`"),
        ('parts = "new-1"', 'parts = "new-2"', "pipeline new-1-turbo, parts: nothing above is called new-2"),
        ('repo = "someone/packed", ', "", "pipeline new-1, gguf: Object missing required field `repo`"),
        ('architecture = "new"\n', "", "pipeline new-1: Expected `str`, got `null` - at `$.architecture`"),
    ],
)
def test_what_is_wrong_in_a_block_is_said_with_the_block_and_the_key(right: str, wrong: str, message: str) -> None:
    assert right in FILE
    with pytest.raises(UsageError) as raised:
        read_pipelines(read_tables(FILE.replace(right, wrong)))
    assert message in str(raised.value)
