"""What a base takes of a device's memory beside its weights, in half precision: while it denoises and decodes.

Counted with networks and autoencoders of the published sizes at two image sizes each, as the largest sum of tensors
alive at once, where attention keeps no matrix of its own (SDPA). Both grow with the pixels, so two sizes make a line.
Where a pipeline runs guidance as a batch of two, it was counted with two. "by width" marks networks whose forward can't
be followed without values: they are scaled from FLUX.1's by the width of the network and the size of its grid.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hub_ui.generate.base_models.spec import PipelineSpec

_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Decoding:
    """Bytes for each pixel of an image or of one frame, and once more for each latent frame. `tiled` are all bytes of
    decoding piece by piece. `upcast`: where the base runs in float16, it is decoded in float32.
    """

    pixel: float
    tiled: int
    frame_pixel: float = 0.0
    upcast: bool = False


@dataclass(frozen=True, slots=True)
class Activations:
    """Denoising takes `fixed` bytes, and so many for each pixel of an image, or of each latent frame of a video.
    Encoding takes the embeddings of a prompt and a text encoder's own tensors. `prefetched` are the layers that are
    copied for some of the runs in a step and not needed there, so that they stay.
    """

    fixed: int
    pixel: float
    decoding: Decoding
    encoding: int = 300 * _MB
    prefetched: int = 0


# Pieces of 512 pixels.
_KL = Decoding(1536.5, 403 * _MB)
_KL_XL = Decoding(1536.5, 403 * _MB, upcast=True)
_DC = Decoding(1666.1, 442 * _MB)
_WAN_IMAGE = Decoding(3459.0, 238 * _MB)
_QWEN_2 = Decoding(6431.5, 436 * _MB)
_HUNYUAN_IMAGE = Decoding(896.1, 168 * _MB)
# Frames are decoded four at a time.
_WAN = Decoding(10_103.0, 771 * _MB, 25.0)
_WAN_22 = Decoding(10_739.0, 2713 * _MB, 24.8)
# Some frames at a time.
_HUNYUAN = Decoding(39_235.0, 2676 * _MB, 26.0)
_COGVIDEOX = Decoding(45_780.0, 4044 * _MB)
# All frames at once.
_HUNYUAN_15 = Decoding(0.0, 3979 * _MB, 6585.0)
_MOCHI = Decoding(0.0, 3168 * _MB, 10_214.0)
_LTX = Decoding(0.0, 1210 * _MB, 702.0)
_LTX_2 = Decoding(0.0, 440 * _MB, 606.0)

_SD_35_LARGE = Activations(15 * _MB, 495.0, _KL)
_KLEIN_9B = Activations(106 * _MB, 681.0, _KL)
_BY_ID: Mapping[str, Activations] = {
    **dict.fromkeys(("sd-3.5-large", "sd-3.5-large-turbo"), _SD_35_LARGE),
    **dict.fromkeys(("flux.2-klein-9b", "flux.2-klein-9b-base"), _KLEIN_9B),
    "wan-2.1-t2v-1.3b": Activations(6 * _MB, 190.5, _WAN),
    "wan-2.2-ti2v-5b": Activations(8 * _MB, 80.9, _WAN_22),
}
# By the pipeline's class.
_BY_PIPELINE: Mapping[str, Activations] = {
    "StableDiffusionPipeline": Activations(1 * _MB, 520.2, _KL),
    "StableDiffusionXLPipeline": Activations(1 * _MB, 315.2, _KL_XL),
    "KolorsPipeline": Activations(1 * _MB, 315.2, _KL_XL),
    "StableDiffusion3Pipeline": Activations(12 * _MB, 337.0, _KL),
    "FluxPipeline": Activations(58 * _MB, 412.5, _KL),
    # The image that is edited has as many tokens as the one that is made.
    "FluxKontextPipeline": Activations(58 * _MB, 825.0, _KL),
    "Flux2KleinPipeline": Activations(78 * _MB, 513.0, _KL),
    "Flux2Pipeline": Activations(155 * _MB, 1017.0, _KL),
    "ChromaPipeline": Activations(60 * _MB, 388.5, _KL),
    "QwenImagePipeline": Activations(14 * _MB, 364.5, _WAN_IMAGE),
    "QwenImageEditPlusPipeline": Activations(14 * _MB, 729.0, _WAN_IMAGE),
    "QwenImage21Pipeline": Activations(60 * _MB, 550.0, _QWEN_2),  # by width
    "ZImagePipeline": Activations(64 * _MB, 949.0, _KL),
    "AuraFlowPipeline": Activations(44 * _MB, 624.2, _KL),
    "Lumina2Pipeline": Activations(20 * _MB, 310.0, _KL),  # by width
    "SanaPipeline": Activations(6 * _MB, 122.6, _DC),
    "PixArtSigmaPipeline": Activations(6 * _MB, 216.2, _KL),
    "PixArtAlphaPipeline": Activations(6 * _MB, 216.2, _KL),
    "HiDreamImagePipeline": Activations(60 * _MB, 690.0, _KL),  # by width
    "AnimaModularPipeline": Activations(1 * _MB, 198.5, _WAN_IMAGE),
    "Krea2Pipeline": Activations(57 * _MB, 580.5, _WAN_IMAGE),
    "CogView4Pipeline": Activations(15 * _MB, 424.5, _KL),
    "HunyuanImagePipeline": Activations(80 * _MB, 120.0, _HUNYUAN_IMAGE),  # by width
    "WanPipeline": Activations(10 * _MB, 442.5, _WAN),
    "LTXPipeline": Activations(4 * _MB, 128.5, _LTX),
    # Its connectors read what all layers of the text encoder say.
    "LTX2Pipeline": Activations(10 * _MB, 260.0, _LTX_2, encoding=5400 * _MB, prefetched=4),  # by width
    "HunyuanVideoPipeline": Activations(20 * _MB, 436.5, _HUNYUAN),
    "HunyuanVideo15Pipeline": Activations(20 * _MB, 275.0, _HUNYUAN_15),  # by width
    "CogVideoXPipeline": Activations(21 * _MB, 625.5, _COGVIDEOX),
    "MochiPipeline": Activations(60 * _MB, 825.0, _MOCHI),  # by width
}
_UNKNOWN = Activations(100 * _MB, 600.0, _WAN_IMAGE)


def activations(spec: PipelineSpec) -> Activations:
    """Those of the base, of its pipeline's class, or of a large network for a class that is not known here."""
    return _BY_ID.get(spec.id) or _BY_PIPELINE.get(spec.pipeline, _UNKNOWN)
