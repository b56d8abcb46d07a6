"""Generating with a LoRA here gives what diffusers alone gives, or, where it can't read the file, what the file means.

One row for each format of an architecture that diffusers reads, in pipelines/rows.py. Latents in float32, for weights
0, 0.5 and 1 and for two LoRAs at once.
"""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from connectors.errors import DoesNotFit
from hub_ui.generate.compare import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from tests.hub_ui.generate.building import adapter, job
from tests.hub_ui.generate.pipelines.bases import TINY
from tests.hub_ui.generate.pipelines.bench import (
    TOLERANCE,
    WEIGHTS,
    Bench,
    Tiny,
    apart,
    by_arithmetic,
    by_diffusers,
    by_manager,
    distance,
    two,
    with_adapters,
    written,
)
from tests.hub_ui.generate.pipelines.frame import PROMPT, Base, by_hand, draw, load, plain
from tests.hub_ui.generate.pipelines.rows import (
    DORA,
    ERNIE_DORA,
    FLUXES,
    OTHERS,
    SD3S,
    TRANSFORMERS,
    UNETS,
    WAN,
    Make,
    Row,
    control_of_bfl,
    control_of_diffusers,
    in_diffusers,
    in_first,
    in_frame,
    widen,
)
from tests.hub_ui.generate.pipelines.short_form import every_third, one_of_each

FORMATS = (*UNETS, *SD3S, *FLUXES, *OTHERS, *TRANSFORMERS)
ONE_EACH = list({row.base.name: row for row in reversed(FORMATS)}.values())
OFF, HALF, WHOLE, STACKED = WEIGHTS


# The scope has the tests of a row come one after another, so that one process loads its base.
@pytest.mark.parametrize("row", one_of_each(FORMATS, lambda row: row.base.name), ids=str, scope="module")
def test_a_lora_draws_what_it_draws_by_diffusers_alone(row: Row, bench: Bench, tmp_path: Path) -> None:
    tiny = bench.tiny(row.base)
    files, paths = written(row, tiny, tmp_path)

    wanted = by_arithmetic(tiny, files) if row.alone else by_diffusers(tiny, paths)
    made = by_manager(tiny, paths, bench.cache)

    assert apart(made, wanted) == {}
    assert torch.equal(made[OFF], tiny.drawn)
    assert distance(made[WHOLE], tiny.drawn) > 0.05, "an effect too small to compare"


@pytest.mark.parametrize("row", every_third(ONE_EACH, 0), ids=str, scope="module")
def test_a_file_merged_into_the_weights_draws_what_it_draws_beside_them(row: Row, bench: Bench, tmp_path: Path) -> None:
    tiny = bench.tiny(row.base)
    with with_adapters(tiny, written(row, tiny, tmp_path)[1], bench.cache) as manager:
        manager.set_weights(STACKED)
        beside = draw(tiny.ours, tiny.base)
        with manager.merge():
            assert "merged" in manager.application
            assert distance(draw(tiny.ours, tiny.base), beside) < TOLERANCE
    assert torch.equal(draw(tiny.ours, tiny.base), tiny.drawn)


# These mark their network in the first call, for caches of diffusers that are off.
MARKED = (
    "FluxPipeline", "ChromaPipeline", "Flux2Pipeline", "Flux2KleinPipeline", "QwenImagePipeline", "CogView4Pipeline",
    "WanPipeline", "LTXPipeline", "HunyuanVideoPipeline",
)  # fmt: skip
OF_MARKED = {row.base.pipeline: row for row in reversed(FORMATS) if row.base.pipeline in MARKED}
CASES = list(product((OF_MARKED[name] for name in MARKED), (torch.float32, torch.bfloat16)))


@pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated")
@pytest.mark.parametrize(("row", "dtype"), every_third(CASES, 0), ids=str)
def test_the_second_and_third_image_are_the_first_one(row: Row, dtype: torch.dtype, tmp_path: Path) -> None:
    """To the bit: pipelines leave hooks and caches behind."""
    pipe = load(row.base, row.base.save(tmp_path / "base")).to(dtype)
    manager = AdapterManager(pipe, row.base.architecture, LoraCache(2**28))
    manager.set_adapters([adapter(row.make(pipe, 1).save(tmp_path / "lora.safetensors"), weight=0.8)])
    drawn = []
    for _ in range(3):
        with manager.merge(steps=20):
            assert not any(module._forward_hooks for module in pipe.transformer.modules())
            drawn.append(draw(pipe, row.base))
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], drawn[2])


# The others have weights on every layer, below.
BATCHED = [row for row in ONE_EACH if row not in TRANSFORMERS]


@pytest.mark.parametrize("row", [*every_third(BATCHED, 1), ERNIE_DORA], ids=str, scope="module")
def test_pictures_of_one_batch_have_weights_of_their_own(row: Row, bench: Bench, tmp_path: Path) -> None:
    tiny = bench.tiny(row.base)
    with with_adapters(tiny, written(row, tiny, tmp_path)[1], bench.cache) as manager:
        manager.set_weights(STACKED)
        alone = draw(tiny.ours, tiny.base)
        with manager.row_weights([list(STACKED), list(OFF)]):
            first, second = two(tiny)

    assert distance(first, alone) < TOLERANCE
    assert distance(second, tiny.drawn) < TOLERANCE


# Kolors is called with embeddings here, Kontext with a picture; PixArt draws the nearest of its own large sizes.
SHOWN = ("sd1", "sd2", "sdxl", "sd3", "flux1 dev", "flux1 schnell", "chroma", "auraflow", "cogview4")
FIRST = {row.base.name: row for row in reversed((*UNETS, *SD3S, *FLUXES, *OTHERS))}
SHEETS = [FIRST[name] for name in SHOWN]
CONTROL = TINY["flux1 control"]
# The same network without the control picture: what a control LoRA of weight 0 draws.
UNSTEERED = replace(
    CONTROL, pipeline="FluxPipeline", call={key: value for key, value in CONTROL.call.items() if key != "control_image"}
)


@pytest.mark.parametrize("make", [control_of_diffusers, control_of_bfl])
def test_a_control_lora_widens_the_base_and_draws_by_its_picture(make: Make, tmp_path: Path) -> None:
    wide = widen(load(CONTROL, CONTROL.save(tmp_path / "base")))
    files = [make(wide, seed) for seed in (1, 2)]
    paths = [file.save(tmp_path / f"{i}.safetensors") for i, file in enumerate(files)]
    unsteered = draw(load(UNSTEERED, tmp_path / "base"), UNSTEERED)
    tiny = Tiny(
        base=CONTROL, ours=load(CONTROL, tmp_path / "base"), theirs=wide, drawn=unsteered, folder=tmp_path / "base"
    )

    made = by_manager(tiny, paths, LoraCache(2**28))

    assert apart(made, by_arithmetic(tiny, files)) == {}
    assert (made[OFF] - unsteered).abs().max() < TOLERANCE
    assert (made[WHOLE] - unsteered).abs().max() > 0.1
    assert tiny.ours.transformer.config.in_channels == 4


@pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated")  # which diffusers' own Chroma uses
@pytest.mark.parametrize("row", every_third(SHEETS, 2), ids=str)
def test_a_sheet_shows_what_diffusers_alone_draws(row: Row, bench: Bench, tmp_path: Path, studio: Engine) -> None:
    tiny = bench.tiny(row.base)
    path = row.make(tiny.theirs, 1).save(tmp_path / "lora.safetensors")
    fields = {"prompt": PROMPT, "seed": 0, "guidance": 4.0, "base": str(tiny.folder)}
    asked = job(adapter(path, architecture=row.base.architecture), **fields)

    made = studio.generate(asked, comparison.before_after(asked))

    call = {"height": 32, "width": 32, "guidance_scale": 4.0, "output_type": "pt"}
    wanted = plain(tiny.theirs, replace(row.base, call=call), [path], [(0.0,), (1.0,)])
    for picture, drawn in zip(made.images, wanted, strict=True):
        pixels = torch.from_numpy(np.array(picture.image)).permute(2, 0, 1)
        assert (pixels - 255 * drawn[0]).abs().max() <= 1


def test_a_dora_draws_what_it_draws_by_diffusers_alone(bench: Bench, tmp_path: Path) -> None:
    """PEFT remembers the norm of the first weight that it is used with, so that each weight is loaded anew."""
    tiny = bench.tiny(DORA.base)
    _, paths = written(DORA, tiny, tmp_path)
    half, whole = (plain(tiny.theirs, tiny.base, paths, [weights])[0] for weights in ((0.5,), (1.0,)))
    made = by_manager(tiny, paths, bench.cache)
    assert distance(made[HALF], half) < TOLERANCE
    assert distance(made[WHOLE], whole) < TOLERANCE
    assert torch.equal(made[OFF], tiny.drawn)


def test_the_order_of_stacked_doras_does_not_matter(bench: Bench, tmp_path: Path) -> None:
    """With PEFT it does: there the second one's magnitude turns what the first one has made."""
    tiny = bench.tiny(DORA.base)
    _, paths = written(DORA, tiny, tmp_path)
    with with_adapters(tiny, paths, bench.cache) as manager:
        manager.set_weights((0.7, -0.4))
        one_way = draw(tiny.ours, tiny.base)
    with with_adapters(tiny, paths[::-1], bench.cache) as manager:
        manager.set_weights((-0.4, 0.7))
        assert distance(draw(tiny.ours, tiny.base), one_way) < TOLERANCE


Z_IMAGE = TINY["z_image"]
# The negative prompt is longer than the prompt here, so that the rows of their tokens are of two lengths.
LONG = replace(Z_IMAGE, call={**Z_IMAGE.call, "negative_prompt": "blurred " * 7, "max_sequence_length": 96})
# FLUX.3 takes one prompt a call.
BASES = {row.base.name: row.base for row in TRANSFORMERS if row.base.architecture != "flux3"}
NETWORKS = (*BASES.values(), LONG)


@pytest.mark.parametrize("base", every_third(NETWORKS, 2), ids=str)
def test_pictures_of_one_batch_have_weights_on_every_layer(base: Base, bench: Bench, tmp_path: Path) -> None:
    """Some networks lay the tokens of all pictures one after another, or sort them."""
    tiny = replace(bench.tiny(base), base=base)
    tiny.drawn = draw(tiny.theirs, base)
    path = in_frame("diffusers", in_diffusers(r"^(?!.*conv)"))(tiny.theirs, 1).save(tmp_path / "a.safetensors")
    manager = AdapterManager(tiny.ours, base.architecture, bench.cache)
    assert manager.set_adapters([adapter(path)])[0].whole
    # Where each step makes much of rounding, an image alone is another one than beside its like.
    alone = two(tiny)[1]
    with manager.row_weights([[0.0], [1.0]]):
        without, with_it = two(tiny)
    manager.disable()
    assert distance(without, tiny.drawn) < TOLERANCE
    assert distance(with_it, alone) < TOLERANCE
    assert distance(alone, tiny.drawn) > 0.05


@pytest.mark.parametrize(
    ("name", "network"), [("boats_high_noise", "transformer"), ("boats_low_noise", "transformer_2")]
)
def test_wan_2_2_has_a_network_for_each_half_of_noise(name: str, network: str, bench: Bench, tmp_path: Path) -> None:
    tiny = bench.tiny(TINY["wan_22"])
    file = in_frame("comfy", in_first("wan", "blocks.*(attn|ffn)", network))(tiny.theirs, 1)
    meant = by_hand(tiny.theirs, tiny.base, [file], [[1.0]])[0]
    assert distance(meant, tiny.drawn) > 0.1
    with with_adapters(tiny, [file.save(tmp_path / f"{name}.safetensors")], bench.cache):
        assert distance(draw(tiny.ours, tiny.base), meant) < TOLERANCE


def test_both_halves_never_change_the_one_network_of_wan_2_1(bench: Bench, tmp_path: Path) -> None:
    tiny = bench.tiny(TINY["wan_21"])
    file = in_frame("comfy", WAN)(tiny.theirs, 1)
    halves = [file.save(tmp_path / f"boats_{noise}_noise.safetensors") for noise in ("high", "low")]
    with (
        pytest.raises(DoesNotFit, match="is half of a LoRA for two networks"),
        with_adapters(tiny, halves, bench.cache),
    ):
        pass
    with with_adapters(tiny, halves[:1], bench.cache):
        assert distance(draw(tiny.ours, tiny.base), tiny.drawn) > 0.1
