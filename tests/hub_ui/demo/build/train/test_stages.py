"""Each stage runs for two steps on tiny networks, and resumes bit for bit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from hub_ui.demo.build.train import fitting
from hub_ui.demo.build.train.captions import build_tokenizer
from hub_ui.demo.build.train.decoder import encoded, train_decoder
from hub_ui.demo.build.train.fitting import Plan
from hub_ui.demo.build.train.lora import set_weight, train_lora
from hub_ui.demo.build.train.model import Pipeline, Sizes, build_pipeline, build_vae
from hub_ui.demo.build.train.pipeline import load_base, sample, save_base
from hub_ui.demo.build.train.recipes import RECIPES, Recipe
from hub_ui.demo.build.train.unet import denoiser_weights, denoising_loss, train_denoiser
from hub_ui.demo.build.train.vae import scenes, train_vae

PLAN = Plan(steps=2, rate=1e-3, warm_up=0, save_every=1)


class Interrupted(Exception):
    pass


def interrupt_after_first_save(monkeypatch: pytest.MonkeyPatch) -> None:
    save = fitting._save

    def save_and_stop(*arguments: Any) -> None:
        save(*arguments)
        raise Interrupted

    monkeypatch.setattr(fitting, "_save", save_and_stop)


def same(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def small_pipeline(folder: Path, sizes: Sizes) -> Pipeline:
    return build_pipeline(build_vae(sizes, 1), build_tokenizer(folder / "tokenizer"), sizes, 1)


def denoiser_run(folder: Path, sizes: Sizes) -> dict[str, Tensor]:
    pipe = small_pipeline(folder, sizes)
    shown = scenes("neat", 6)
    latents = torch.randn(6, sizes.latent_channels, 8, 8, generator=torch.Generator().manual_seed(1)).half()
    train_denoiser(folder / "unet.pt", pipe, shown, latents, PLAN, batch=4)
    return {name: weight.detach() for name, weight in denoiser_weights(pipe).items()}


def vae_run(folder: Path, sizes: Sizes) -> dict[str, Tensor]:
    state: dict[str, Tensor] = train_vae(folder, PLAN, sizes, pool=4).state_dict()
    return state


def lora_run(folder: Path, sizes: Sizes, recipe: Recipe = RECIPES[1]) -> dict[str, Tensor]:
    versions = train_lora(folder, small_pipeline(folder, sizes), recipe, PLAN, count=4)
    return versions["v2"]


def decoder_run(folder: Path, sizes: Sizes) -> dict[str, Tensor]:
    vae = build_vae(sizes, 1)
    train_decoder(folder, vae, [encoded(vae, 4)], PLAN)
    state: dict[str, Tensor] = vae.state_dict()
    return state


@pytest.mark.parametrize("run", [vae_run, decoder_run, denoiser_run, lora_run])
def test_a_broken_stage_ends_alike(run: Any, small: Sizes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(tmp_path / "whole", small)
    with monkeypatch.context() as patch:
        interrupt_after_first_save(patch)
        with pytest.raises(Interrupted):
            run(tmp_path / "parts", small)
    assert same(run(tmp_path / "parts", small), whole)


def test_an_early_version_is_kept_and_differs(small: Sizes, tmp_path: Path) -> None:
    recipe = next(recipe for recipe in RECIPES if recipe.early)
    plan = Plan(steps=4, rate=1e-3, warm_up=0)
    versions = train_lora(tmp_path, small_pipeline(tmp_path, small), recipe, plan, count=4)
    assert list(versions) == ["v1", "v2"]
    assert not same(versions["v1"], versions["v2"])


def test_weight_zero_is_the_base_alone(small: Sizes, tmp_path: Path) -> None:
    pipe = small_pipeline(tmp_path, small)
    latents = torch.ones(2, small.latent_channels, 8, 8)
    bare = denoising_loss(pipe, latents, ["a", "b"], torch.Generator().manual_seed(1))
    train_lora(tmp_path, pipe, RECIPES[1], PLAN, count=4)
    assert not torch.equal(denoising_loss(pipe, latents, ["a", "b"], torch.Generator().manual_seed(1)), bare)
    set_weight(pipe, 0.0)
    assert torch.equal(denoising_loss(pipe, latents, ["a", "b"], torch.Generator().manual_seed(1)), bare)


def test_the_decoder_learns_and_the_encoder_stays(small: Sizes, tmp_path: Path) -> None:
    before, after = build_vae(small, 1).state_dict(), decoder_run(tmp_path, small)
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"decoder", "post_quant_conv"}


def test_a_saved_base_is_what_was_trained_in_half_precision(small: Sizes, tmp_path: Path) -> None:
    pipe = small_pipeline(tmp_path, small)
    trained = {name: weight.detach().half().float() for name, weight in denoiser_weights(pipe).items()}
    save_base(tmp_path / "base", pipe)
    again = load_base(tmp_path / "base")
    assert same(denoiser_weights(again), trained)
    assert str(tmp_path) not in (tmp_path / "base" / "unet" / "config.json").read_text(encoding="utf-8")
    assert sample(again, ["a red circle"], 1)[0].size == (128, 128)
