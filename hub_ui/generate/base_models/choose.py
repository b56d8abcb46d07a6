"""Which base model a LoRA is tried on: of its own lineage if we know one, else the main one of its architecture."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from connectors.errors import DoesNotFit, NoBase, UsageError
from connectors.suggestion import suggestion
from hub_ui.generate.base_models import repo_layout
from hub_ui.generate.base_models.checkpoint import Recognised, recognised
from hub_ui.generate.base_models.spec import Checkpoint, PipelineSpec
from hub_ui.generate.base_models.table import FILM_BASES, IMAGE_BASES, PACKAGED

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[\w.-]{1,96}")
_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf")

BASES: tuple[PipelineSpec, ...] = (*IMAGE_BASES, *FILM_BASES)
_VELOCITY = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
# Pipelines that draw like one of the table's and take the same LoRAs.
_LIKE = {
    "LatentConsistencyModelPipeline": "StableDiffusionPipeline",
    "StableDiffusionImg2ImgPipeline": "StableDiffusionPipeline",
    "StableDiffusionXLImg2ImgPipeline": "StableDiffusionXLPipeline",
    "QwenImageEditPipeline": "QwenImageEditPlusPipeline",
}


def choose(architecture: str | None, base_model: str | None, asked: str | None) -> PipelineSpec:
    """The base for a LoRA of that architecture and lineage; `asked` is the person's own choice.

    Raises DoesNotFit when the person's choice has another architecture, NoBase when there is nothing to choose from.
    """
    own = by_id(base_model) or _of_lineage(base_model)
    architecture = architecture or (own.architecture if own else None)
    if asked:
        return fitting(_named(asked, architecture), architecture)
    if architecture is None:
        said = (
            f"This LoRA was made for “{base_model}”, which is none of the base models known here."
            if base_model
            else "Nothing says which base model this LoRA was made for."
        )
        raise NoBase(f"{said} Choose one yourself (--base, for example sdxl-1.0).")
    if own is not None and own.architecture == architecture:
        return own
    found = _main(architecture)
    if found is None:
        raise NoBase(
            f"There is no base model here that can draw with LoRAs for {architecture}. It can be downloaded and used "
            "in another program."
        )
    return found


def for_architecture(architecture: str | None) -> tuple[PipelineSpec, ...]:
    """What a person may choose from; everything while the architecture is unknown."""
    return tuple(base for base in BASES if architecture in (None, base.architecture))


def alternatives(choice: PipelineSpec) -> tuple[PipelineSpec, ...]:
    """Other bases for the same LoRA, those of its row first."""
    named = [found for name in choice.alternatives if (found := by_id(name)) is not None]
    others = (base for base in for_architecture(choice.architecture) if base not in named and base.id != choice.id)
    return (*named, *others)


def by_id(name: str | None) -> PipelineSpec | None:
    return next((base for base in BASES if base.id == name), None)


def fitting(choice: PipelineSpec, architecture: str | None) -> PipelineSpec:
    """The choice itself, if a LoRA of that architecture goes with it."""
    if architecture is not None and choice.architecture != architecture:
        raise DoesNotFit(
            f"The LoRA is for {architecture}, but {choice.label} is {choice.architecture}: no part of it would fit. "
            "Choose a base of the same architecture, or none to have one picked."
        )
    return choice


def settled(choice: PipelineSpec, index: repo_layout.Index) -> PipelineSpec:
    """A person's own repo or folder as its index says it is; the rows of the tables stay as they are.

    Raises DoesNotFit where it is of another architecture than assumed, NoBase where its pipeline is none of ours.
    """
    if not choice.assumed:
        return choice
    like = _like(choice, index)
    fitting(replace(choice, architecture=like.architecture), choice.architecture or None)
    return _own(like, choice.source, pipeline=index.pipeline)


def _like(choice: PipelineSpec, index: repo_layout.Index) -> PipelineSpec:
    """The row that a pipeline is most like. SD 1 and SD 2 share a class; their LoRAs tell which was meant."""
    name = _LIKE.get(index.pipeline, index.pipeline)
    same = [base for base in BASES if base.pipeline == name]
    if not same:
        raise NoBase(
            f"{choice.label} is for diffusers' {index.pipeline or 'unnamed pipeline'}, which the preview can't draw "
            "with. Choose another base."
        )
    drawn = [base for base in same if base.source != str(PACKAGED)]
    return next((base for base in same if base.architecture == choice.architecture), drawn[0])


def _main(architecture: str | None) -> PipelineSpec | None:
    return next((base for base in BASES if base.architecture == architecture), None)


def _of_lineage(name: str | None) -> PipelineSpec | None:
    return next((base for base in BASES if base.lineage == name), None)


def check_name(asked: str) -> None:
    """Raises UsageError for what can't be a base: no name of the tables, no repo, folder or checkpoint."""
    path = Path(asked)
    if _listed(asked) or _REPO.fullmatch(asked) or path.is_dir() or _is_file(path):
        return
    raise UsageError(_no_base(asked, None))


def _no_base(asked: str, architecture: str | None) -> str:
    fitting = for_architecture(architecture) or BASES
    near = suggestion(asked, (name for base in fitting for name in (base.id, base.architecture)))
    others = near or f" Choose one of: {', '.join(base.id for base in fitting)}."
    return f"“{asked}” is no base model.{others} A repo OWNER/NAME, a folder or a .safetensors checkpoint will do, too."


def _listed(asked: str) -> PipelineSpec | None:
    return next((base for base in BASES if asked.lower() in (base.id, base.architecture, base.source.lower())), None)


def _is_file(path: Path) -> bool:
    return path.is_file() or path.suffix.lower() in _SUFFIXES


def _named(asked: str, architecture: str | None) -> PipelineSpec:
    """An id, an architecture, a known repo; or any repo, folder or checkpoint."""
    if (listed := _listed(asked)) is not None:
        return listed
    path = Path(asked)
    if _is_file(path):
        return _of_file(path)
    if path.is_dir():
        return _of_folder(path, architecture)
    if not _REPO.fullmatch(asked):
        raise NoBase(_no_base(asked, architecture))
    like = _main(architecture) if architecture else BASES[1]
    if like is None:
        raise NoBase(
            f"There is no base model here that can draw with LoRAs for {architecture}, so {asked} can't be used. Use "
            "the LoRA in another program."
        )
    return replace(_own(like, asked), architecture=architecture or "", assumed=True)


def _of_folder(folder: Path, architecture: str | None) -> PipelineSpec:
    """What a folder's own index says; without a LoRA's word, the first base with such a pipeline (but the demo's)."""
    index = repo_layout.read_index(folder)
    if index is None:
        raise NoBase(f"{folder} holds no model_index.json, so it is no base in diffusers' layout. Choose another base.")
    own = [base for base in BASES[1:] if base.pipeline == _LIKE.get(index.pipeline, index.pipeline)]
    like = _main(architecture) or (own[0] if own else BASES[1])
    return settled(replace(_own(like, str(folder)), assumed=True), index)


def _of_file(path: Path) -> PipelineSpec:
    """A checkpoint in one file. What it leaves out comes from the base of the tables that it is most like."""
    found = recognised(path)
    like = _most_like(found)
    if like is None:
        raise NoBase(
            f"{path.name} is for {found.architecture}, which the preview can't draw with. Choose another base."
        )
    return replace(
        like,
        id=str(path),
        label=path.name,
        license="",
        checkpoint=Checkpoint(file=str(path), brings=found.brings),
        scheduler="EulerDiscreteScheduler" if found.velocity else None,
        scheduler_options=_VELOCITY if found.velocity else {},
    )


def _most_like(found: Recognised) -> PipelineSpec | None:
    if found.architecture == "flux1" and not found.guided:
        return by_id("flux.1-schnell")
    return by_id(found.size) or _main(found.architecture)


def _own(like: PipelineSpec, source: str, pipeline: str | None = None) -> PipelineSpec:
    """A person's own base with the settings of one it is like. Nothing is known of its commit, licence or gate."""
    return replace(
        like,
        id=source,
        label=source,
        source=source,
        pipeline=pipeline or like.pipeline,
        revision=None,
        license="",
        gated=False,
        scheduler=None,
        scheduler_options={},
        checkpoint=None,
    )
