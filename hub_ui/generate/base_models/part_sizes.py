"""What a base takes of memory: how many parameters its parts have, and what it takes while it denoises and decodes."""

from collections.abc import Mapping
from pathlib import Path

from hub_ui.generate.base_models.repo_layout import count_parameters
from hub_ui.generate.base_models.spec import Activations, Decoding, ModelSize, Parts, PipelineSpec
from hub_ui.generate.base_models.table import PIPELINES

# The shares of a base that is in no table and not on this disk: those of most bases here.
_SHARES: Mapping[str, float] = {"transformer": 0.66, "text_encoder": 0.32, "vae": 0.02}
# A word table's share of a text encoder, a layer's of a network.
_LARGEST = 0.12


def model_sizes(spec: PipelineSpec) -> Parts:
    """The parts of the base on this disk, else of the table, else of the base of its architecture that is built alike,
    else estimated from `gigabytes`: see is_estimated.
    """
    if local := _local_sizes(Path(spec.source)):
        return local
    if known := _known(spec):
        return known
    parameters = spec.gigabytes * 1e9 / 2
    return {
        part: ModelSize(round(parameters * share), round(parameters * share * _LARGEST))
        for part, share in _SHARES.items()
    }


def is_estimated(spec: PipelineSpec) -> bool:
    """Whether only the base's size as a whole is known."""
    return not _local_sizes(Path(spec.source)) and not _known(spec)


def _known(spec: PipelineSpec) -> Parts | None:
    alike = [base.id for base in PIPELINES.bases if _kind(base) == _kind(spec)]
    return next((PIPELINES.parts[name] for name in (spec.id, *alike) if name in PIPELINES.parts), None)


def _kind(spec: PipelineSpec) -> tuple[str, str]:
    return spec.architecture, spec.pipeline


def _local_sizes(folder: Path) -> Parts:
    if not folder.is_dir():
        return {}
    counted = {path.name: count_parameters(folder, path.name) for path in sorted(folder.iterdir()) if path.is_dir()}
    return {part: ModelSize(count, round(count * _LARGEST)) for part, count in counted.items() if count}


# A large network's.
_UNKNOWN = Activations(100_000_000, 600.0, Decoding(3459.0, 238_000_000))


def activations(spec: PipelineSpec) -> Activations:
    """Those of the base, of the first one with its pipeline's class, or of a large network for a class that is not
    known here.
    """
    alike = [base.id for base in PIPELINES.bases if base.pipeline == spec.pipeline]
    known = PIPELINES.activations
    return next((known[name] for name in (spec.id, *alike) if name in known), _UNKNOWN)
