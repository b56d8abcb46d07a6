"""What a base takes of a device's memory beside its weights, in half precision: while it denoises and decodes.

Counted with networks and autoencoders of the published sizes at two image sizes each, as the largest sum of tensors
alive at once, where attention keeps no matrix of its own (SDPA). Both grow with the pixels, so two sizes make a line.
Where a pipeline runs guidance as a batch of two, it was counted with two. "by width" marks those whose forward can't be
followed without values: they are scaled from FLUX.1's by the width of the network and the size of its grid.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hub_ui.generate.base_models.spec import PipelineSpec


@dataclass(frozen=True, slots=True)
class Activations:
    """Bytes: `fixed`, then for each pixel of an image, or of each latent frame of a video. `tiled` is for decoding
    piece by piece, whatever the size.
    """

    fixed: int
    denoising: float
    decoding: float
    tiled: int


_MB = 1_000_000
# An autoencoder's decoding by pixel, and of one tile.
_KL, _KL_TILE = 1536.5, 403 * _MB
# SDXL's runs in float32 where the base runs in float16.
_KL_32, _KL_32_TILE = 2 * _KL, 4 * _KL_TILE
_WAN, _WAN_TILE = 3000.0, 400 * _MB

_BY_ID: Mapping[str, Activations] = {
    "sd-3.5-large": Activations(15 * _MB, 495.0, _KL, _KL_TILE),
    "sd-3.5-large-turbo": Activations(15 * _MB, 495.0, _KL, _KL_TILE),
    "flux.2-klein-9b": Activations(106 * _MB, 681.0, _KL, _KL_TILE),
    "flux.2-klein-9b-base": Activations(106 * _MB, 681.0, _KL, _KL_TILE),
    "wan-2.1-t2v-1.3b": Activations(6 * _MB, 190.5, _WAN, _WAN_TILE),
    "wan-2.2-ti2v-5b": Activations(8 * _MB, 80.9, _WAN, _WAN_TILE),
}
# By the pipeline's class.
_BY_PIPELINE: Mapping[str, Activations] = {
    "StableDiffusionPipeline": Activations(1 * _MB, 520.2, _KL, _KL_TILE),
    "StableDiffusionXLPipeline": Activations(1 * _MB, 315.2, _KL_32, _KL_32_TILE),
    "KolorsPipeline": Activations(1 * _MB, 315.2, _KL_32, _KL_32_TILE),
    "StableDiffusion3Pipeline": Activations(12 * _MB, 337.0, _KL, _KL_TILE),
    "FluxPipeline": Activations(58 * _MB, 412.5, _KL, _KL_TILE),
    # The image that is edited has as many tokens as the one that is made.
    "FluxKontextPipeline": Activations(58 * _MB, 825.0, _KL, _KL_TILE),
    "Flux2KleinPipeline": Activations(78 * _MB, 513.0, _KL, _KL_TILE),
    "Flux2Pipeline": Activations(155 * _MB, 1017.0, _KL, _KL_TILE),
    "ChromaPipeline": Activations(60 * _MB, 388.5, _KL, _KL_TILE),
    "QwenImagePipeline": Activations(58 * _MB, 412.5, _WAN, _WAN_TILE),  # by width
    "QwenImageEditPlusPipeline": Activations(58 * _MB, 825.0, _WAN, _WAN_TILE),  # by width, with the image it edits
    "QwenImage21Pipeline": Activations(60 * _MB, 550.0, _WAN, _WAN_TILE),  # by width
    "ZImagePipeline": Activations(64 * _MB, 949.0, _KL, _KL_TILE),
    "AuraFlowPipeline": Activations(44 * _MB, 624.2, _KL, _KL_TILE),
    "Lumina2Pipeline": Activations(20 * _MB, 310.0, _KL, _KL_TILE),  # by width
    "SanaPipeline": Activations(6 * _MB, 122.6, 2 * _KL, 4 * _KL_TILE),
    "PixArtSigmaPipeline": Activations(10 * _MB, 310.0, _KL, _KL_TILE),  # by width
    "PixArtAlphaPipeline": Activations(10 * _MB, 310.0, _KL, _KL_TILE),  # by width
    "HiDreamImagePipeline": Activations(60 * _MB, 690.0, _KL, _KL_TILE),  # by width
    "AnimaModularPipeline": Activations(1 * _MB, 198.5, _WAN, _WAN_TILE),
    "Krea2Pipeline": Activations(57 * _MB, 580.5, _WAN, _WAN_TILE),
    "CogView4Pipeline": Activations(15 * _MB, 424.5, _KL, _KL_TILE),
    "HunyuanImagePipeline": Activations(80 * _MB, 120.0, _KL, 4 * _KL_TILE),  # by width
    "WanPipeline": Activations(10 * _MB, 442.5, _WAN, _WAN_TILE),
    "LTXPipeline": Activations(4 * _MB, 128.5, _WAN, _WAN_TILE),
    "LTX2Pipeline": Activations(10 * _MB, 260.0, _WAN, _WAN_TILE),  # by width
    "HunyuanVideoPipeline": Activations(20 * _MB, 436.5, _WAN, _WAN_TILE),
    "HunyuanVideo15Pipeline": Activations(20 * _MB, 275.0, _WAN, _WAN_TILE),  # by width
    "CogVideoXPipeline": Activations(21 * _MB, 625.5, _WAN, _WAN_TILE),
    "MochiPipeline": Activations(60 * _MB, 825.0, _WAN, _WAN_TILE),  # by width
}
_UNKNOWN = Activations(100 * _MB, 600.0, _WAN, _WAN_TILE)


def activations(spec: PipelineSpec) -> Activations:
    """Those of the base, of its pipeline's class, or of a large network for a class that is not known here."""
    return _BY_ID.get(spec.id) or _BY_PIPELINE.get(spec.pipeline, _UNKNOWN)
