"""The table of bases. A base is one block: of a program with one more, only connectors/base_models.toml differs."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
import transformers

import connectors
from connectors.claims import base_models
from connectors.claims.base_models import read_tables
from connectors.errors import UsageError
from hub_ui.generate import samplers
from hub_ui.generate.base_models import BASES, PipelineSpec, base_by_id, choose_base
from hub_ui.generate.base_models.table import (
    Activations,
    Decoding,
    ModelSize,
    NetworkFiles,
    precision_by_id,
    read_pipelines,
    with_sizes,
)
from tests.programs import python
from tests.tools.accuracy import real_models
from tests.tools.gpu import networks

each = pytest.mark.parametrize("base", BASES, ids=lambda base: base.id)
# What the taxonomy has bases for and diffusers a pipeline.
ARCHITECTURES = (
    "anima", "auraflow", "bria-fibo2", "chroma", "cogvideox", "cogview4", "ernie", "flux1", "flux2", "flux3",
    "hidream", "hunyuan-image", "hunyuan-video", "hunyuan-video-1.5", "ideogram4", "kandinsky5", "krea2", "ltx-video",
    "ltx-video-2", "lumina2", "mochi", "pixart", "qwen-image", "qwen-image-2", "sana", "sd1", "sd2", "sd3", "sdxl",
    "tiny-shapes", "wan", "z-image",
)  # fmt: skip


def test_every_architecture_has_a_base() -> None:
    assert sorted({base.architecture for base in BASES}) == sorted(ARCHITECTURES)


def test_ids_are_told_apart() -> None:
    assert len({base.id for base in BASES}) == len(BASES)


@each
def test_the_lineage_is_the_taxonomy_s_own(base: PipelineSpec) -> None:
    assert getattr(base_models.by_id(base.lineage), "architecture", None) == base.architecture
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
    assert base.width % 16 == base.height % 16 == 0
    assert 1 <= base.steps <= 50
    assert 0 <= base.guidance <= 10


def test_the_licence_is_named() -> None:
    """But where no public source says it."""
    assert [base.id for base in BASES if not base.license] == ["bria-fibo-2"]


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.id)
def test_what_a_draft_is_made_with_is_named_as_it_is_read(base: PipelineSpec) -> None:
    lora, decoder = base.draft.lora, base.draft.decoder
    assert decoder in ("", "madebyollin/taesd", "madebyollin/taesdxl", "madebyollin/taesd3", "madebyollin/taef1")
    if lora is not None:
        assert lora.file.endswith(".safetensors")
        assert lora.license
        assert lora.steps < base.steps
        assert lora.revision is None or len(lora.revision) == 40
        assert lora.sampler is None or samplers.read(lora.sampler) is not None


def test_videos_have_a_length_and_come_after_images() -> None:
    videos = [base.video for base in BASES if base.video]
    assert [base.video for base in BASES][-len(videos) :] == videos
    assert all(video.frames > 8 and video.fps >= 8 for video in videos)


def test_most_repos_are_pinned() -> None:
    """Those without are the ones no commit could be found for, and the base that is in this package."""
    assert sorted(base.id for base in BASES if base.revision is None) == [
        "bria-fibo-2", "ernie-image", "flux.3-klein", "flux.3-klein-base", "hidream", "hunyuan-image", "ideogram-4",
        "kandinsky-5-t2i-lite", "kandinsky-5-t2v-lite", "pony", "pony-v7", "tiny-shapes", "wan-2.1-i2v-14b-720p",
    ]  # fmt: skip


FILE = Path(__file__).with_name("new_bases.toml").read_text(encoding="utf-8")


def test_a_block_is_a_base_with_its_parts_activations_and_files() -> None:
    first, turbo = read_pipelines(read_tables(FILE))
    assert (first.lineage, first.architecture, first.license, first.width) == ("new", "new", "MIT", 1024)
    assert (turbo.lineage, turbo.video) == ("new", None)
    assert first.parts == {"transformer": ModelSize(1000, 20), "text_encoder": ModelSize(100, 10)}
    assert first.activations == Activations(7, 2.5, Decoding(1.5, 4))
    assert (turbo.parts, turbo.activations, turbo.gguf) == (first.parts, first.activations, None)
    assert first.gguf == NetworkFiles(repo="someone/packed", name="high", gigabytes={"Q8_0": 1.5}, second="low")


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("steps = 20\n", "", "pipeline new-1: Object missing required field `steps`"),
        ("steps = 20", "steps = 2.5", "pipeline new-1: Expected `int`, got `float` - at `$.steps`"),
        ("steps = 20", "steps = 20\nstep = 3", "pipeline new-1: there is no key `step`"),
        ("fps = 8", "fps = 8, rate = 1", "pipeline new-1: there is no key `video.rate`"),
        ("pixel = 2.5, ", "", "pipeline new-1: Object missing required field `pixel` - at `$.activations`"),
        ('decoding = "kl"', 'decoding = "km"', "pipeline new-1, activations.decoding: nothing above is called km"),
        ('= "clip"', '= "clap"', "pipeline new-1, parts.text_encoder: nothing above is called clap"),
        ("largest = 20 }", "most = 20 }", "pipeline new-1: Object missing required field `largest` - at `$.parts"),
        ('parts = "new-1"', 'parts = "new-2"', "pipeline new-1-turbo, parts: nothing above is called new-2"),
        ('repo = "someone/packed", ', "", "pipeline new-1: Object missing required field `repo` - at `$.gguf`"),
        ('architecture = "new"\n', "", "pipeline new-1: Expected `str`, got `null` - at `$.architecture`"),
    ],
)
def test_what_is_wrong_in_a_block_is_said_with_the_block_and_the_key(right: str, wrong: str, message: str) -> None:
    assert right in FILE
    with pytest.raises(UsageError) as raised:
        read_pipelines(read_tables(FILE.replace(right, wrong)))
    assert message in str(raised.value)


FLUX = choose_base("flux1", None, None)
# Stored in half precision as a whole, so that the download's size is that of the parts.
IN_HALF = ("sd-1.5", "sdxl-1.0", "kolors", "flux.1-dev", "flux.2-dev", "qwen-image", "z-image", "chroma", "anima",
           "cogview4", "hunyuan-video", "cogvideox", "mochi", "hidream")  # fmt: skip


def of(id: str) -> Any:
    return base_by_id(id)


def part_parameters(base: Any) -> dict[str, int]:
    return {part: model.parameters for part, model in base.parts.items()}


@pytest.mark.parametrize("id", IN_HALF)
def test_the_parts_together_are_as_large_as_the_download(id: str) -> None:
    base = of(id)
    assert sum(part_parameters(base).values()) * 2 == pytest.approx(base.gigabytes * 1e9, rel=0.03)


def test_every_base_has_its_parts_counted() -> None:
    assert all(base.parts and not base.estimated for base in BASES)


def test_the_included_base_is_counted_as_its_files_are() -> None:
    included = of("tiny-shapes")
    assert with_sizes(included) == included


ERNIE = {
    "hidden_size": 4096, "num_attention_heads": 32, "num_layers": 36, "ffn_hidden_size": 12288, "text_in_dim": 3072,
}  # fmt: skip
KANDINSKY = {
    "in_visual_dim": 16, "out_visual_dim": 16, "model_dim": 2560, "ff_dim": 10240, "num_visual_blocks": 50,
    "axes_dims": (32, 48, 48),
}  # fmt: skip
KANDINSKY_T2V = {
    "in_visual_dim": 16, "out_visual_dim": 16, "model_dim": 1792, "ff_dim": 7168, "visual_cond": True,
}  # fmt: skip


# The networks of published size that are the base's own.
PUBLISHED = {
    "sd-1.5": "sd1", "sd-2.1": "sd2", "sdxl-1.0": "sdxl", "kolors": "kolors", "flux.1-dev": "flux1", "chroma": "chroma",
    "flux.2-dev": "flux2 dev", "flux.3-klein": "flux3 klein", "flux.3-klein-base": "flux3", "qwen-image": "qwen-image",
    "qwen-image-2": "qwen-image-2", "z-image": "z-image", "lumina-2": "lumina2", "bria-fibo-2": "bria-fibo2",
    "anima": "anima", "krea-2": "krea2", "hidream": "hidream", "sana": "sana 1.6b", "sana-0.6b": "sana 0.6b",
    "auraflow": "auraflow", "mochi": "mochi", "ideogram-4": "ideogram4", "cogvideox": "cogvideox 5b",
    "cogvideox-2b": "cogvideox 2b", "hunyuan-video": "hunyuan-video", "hunyuan-video-1.5": "hunyuan-video-1.5",
    "ltx-video": "ltx-video", "ltx-2": "ltx-video-2", "ltx-2.3": "ltx-video-2 2.3", "wan-2.2-t2v-a14b": "wan 14b",
    "wan-2.1-i2v-14b-480p": "wan i2v", "wan-2.1-t2v-1.3b": "wan 1.3b", "wan-2.2-ti2v-5b": "wan 5b",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:`FluxPosEmbed`:FutureWarning")  # Chroma's, which diffusers itself deprecates
@pytest.mark.parametrize(
    ("id", "part", "network", "settings"),
    [
        *((id, part, *of) for id, name in PUBLISHED.items() for part, of in real_models.MODELS[name].items()),
        ("sdxl-1.0", "vae", "AutoencoderKL", networks.SDXL_VAE),
        ("flux.1-dev", "vae", "AutoencoderKL", networks.FLUX_VAE),
        ("wan-2.1-t2v-14b", "vae", "AutoencoderKLWan", {}),
        ("ernie-image", "transformer", "ErnieImageTransformer2DModel", ERNIE),
        ("kandinsky-5-t2i-lite", "transformer", "Kandinsky5Transformer3DModel", KANDINSKY),
        ("kandinsky-5-t2v-lite", "transformer", "Kandinsky5Transformer3DModel", KANDINSKY_T2V),
        ("ideogram-4", "unconditional_transformer", "Ideogram4Transformer2DModel", {}),
        ("wan-2.2-i2v-a14b", "transformer_2", "WanTransformer3DModel", {"in_channels": 36}),
    ],
)
def test_a_network_of_the_published_size_has_as_many_parameters(
    id: str, part: str, network: str, settings: Mapping[str, Any]
) -> None:
    with torch.device("meta"):
        built = real_models._network(network, settings)
    largest = max(sum(value.numel() for value in module.parameters(recurse=False)) for module in built.modules())
    size = of(id).parts[part]
    assert (size.parameters, size.largest) == (sum(value.numel() for value in built.parameters()), largest)


ROWS = [(base, kind, size) for base in BASES if base.gguf for kind, size in base.gguf.gigabytes.items()]


@pytest.mark.parametrize(("base", "kind", "size"), ROWS, ids=[f"{base.id} {kind}" for base, kind, _ in ROWS])
def test_a_file_is_as_large_as_its_type_makes_the_network(base: PipelineSpec, kind: str, size: float) -> None:
    precision: Any = precision_by_id(f"gguf-{kind.lower()}")
    # Some layers are in more bits: tables, the first and the last, a fifth of all in small networks.
    assert 0.95 < size * 8e9 / base.parts["transformer"].parameters / precision.bits < 1.4


def test_the_files_of_a_base_are_sorted_from_the_best() -> None:
    for files in (base.gguf.gigabytes for base in BASES if base.gguf):
        assert list(files.values()) == sorted(files.values(), reverse=True)


@pytest.mark.parametrize(
    ("name", "device", "installed", "first"),
    [
        ("kolors", "cuda", True, "int8"),
        ("kolors", "cuda", False, "fp8"),
        ("kolors", "xpu", True, "fp8"),
        # Its values leave the range of float16, in which 8-bit integers are computed.
        ("qwen-image-2", "cuda", True, "fp8"),
    ],
)
def test_8_bit_integers_come_before_8_bit_floats_where_they_run(
    monkeypatch: pytest.MonkeyPatch, name: str, device: str, installed: bool, first: str
) -> None:
    monkeypatch.setattr(
        "hub_ui.generate.base_models.table.find_spec",
        lambda package: object() if installed and package == "bitsandbytes" else None,
    )
    assert [one.precision for one in of(name).precisions_on(device)][:2] == ["full", first]


def test_a_base_is_named_with_its_precision() -> None:
    labels = [of("flux.1-dev").in_precision(precision).precise_label for precision in ("full", "gguf-q4_k_s")]
    assert labels == ["FLUX.1 dev", "FLUX.1 dev in Q4"]


def test_wan_2_2_has_a_file_for_each_of_its_networks() -> None:
    checkpoint = of("wan-2.2-t2v-a14b").in_precision("gguf-q4_k_m").checkpoint
    assert checkpoint.brings == {"transformer", "transformer_2"}
    assert (checkpoint.file, checkpoint.beside) == (
        "HighNoise/Wan2.2-T2V-A14B-HighNoise-Q4_K_M.gguf",
        (("transformer_2", "LowNoise/Wan2.2-T2V-A14B-LowNoise-Q4_K_M.gguf"),),
    )


def test_a_base_in_a_folder_is_counted_from_its_files(base: str) -> None:
    assert part_parameters(choose_base("sd1", None, base)) == {"text_encoder": 19840, "unet": 985444, "vae": 56711}


def test_a_base_of_one_s_own_has_the_parts_of_its_architecture() -> None:
    own = with_sizes(replace(FLUX, id="someone/flux", source="someone/flux", parts={}))
    assert part_parameters(own)["transformer"] == 11_901_408_320
    assert not own.estimated


def test_what_nobody_counted_is_estimated_from_its_size() -> None:
    own = with_sizes(replace(FLUX, source="x/y", architecture="new", pipeline="NewPipeline", gigabytes=20.0))
    assert part_parameters(own) == {"transformer": 6_600_000_000, "text_encoder": 3_200_000_000, "vae": 200_000_000}
    assert own.estimated
    assert not Path("x/y").exists()


def test_every_pipeline_of_the_table_has_its_own() -> None:
    assert [base.id for base in BASES if base.activations.pixel == 600.0] == []


def test_a_pipeline_that_is_not_known_counts_as_a_large_one() -> None:
    assert with_sizes(replace(of("sd-1.5"), pipeline="NewPipeline")).activations.pixel == 600.0


BLOCK = Path(__file__).with_name("halcyon.toml").read_text(encoding="utf-8")
ASK = """
import json
from connectors.claims import base_models
from connectors.weights.training_metadata import base_of
from hub_ui.generate.base_models import choose_base
from tests.tools.tables.__main__ import memory_table, table, table_of_files
from hub_ui.generate.plan import plan_on_card

base = choose_base("halcyon", None, None)
spec, plan = plan_on_card(base, "balanced", 8 * 2**30)
print(json.dumps({
    "choice": [base.id, base.source, base.license, base.width],
    "plan": [spec.precision, spec.checkpoint.file, plan.level],
    "names": [
        base_models.identify("halcyon-labs/Halcyon-2-fp8").id,
        base_models.find_base_name("A Halcyon 2 LoRA")[0],
        base_of("ss_base_model_version", "hlc2"),
        base_models.architecture_label("halcyon"),
        *base_models.spellings("halcyon", "civitai"),
    ],
    "rows": [printed.count("`halcyon-2`") for printed in (table(), memory_table(), table_of_files())],
}))
"""


def test_a_base_is_one_block_by_which_it_is_chosen_planned_named_and_printed(tmp_path: Path) -> None:
    """In a program that has the block beside all others."""
    sources = Path(connectors.__file__).parent
    (tmp_path / "connectors").mkdir()
    for name in ("hub_ui", "tests"):
        (tmp_path / name).symlink_to(sources.with_name(name))
    for path in sources.iterdir():
        if path != base_models.FILE:
            (tmp_path / "connectors" / path.name).symlink_to(path)
    text = base_models.FILE.read_text(encoding="utf-8").replace("[checkpoints]", BLOCK + "[checkpoints]")
    (tmp_path / "connectors" / base_models.FILE.name).write_text(text, encoding="utf-8")
    answers = python("-c", ASK, cwd=tmp_path, PYTHONPATH=str(tmp_path)).stdout
    assert json.loads(answers) == {
        "choice": ["halcyon-2", "halcyon-labs/Halcyon-2", "Halcyon License", 1024],
        "plan": ["gguf-q8_0", "halcyon-2-Q8_0.gguf", "model_offload"],
        # What hubs, authors and trainers write.
        "names": ["halcyon-2", "halcyon-2", "halcyon-2", "Halcyon 2", "Halcyon 2.0"],
        # Of each table of the documentation.
        "rows": [1, 1, 1],
    }
