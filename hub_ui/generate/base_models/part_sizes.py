"""How many parameters each part of a base has, so that memory can be planned before anything is downloaded.

The models were counted by building diffusers' and transformers' classes without values, with the settings of the
published config.json; persistent position tables of Stable Diffusion 3 count too. tests/ builds them again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hub_ui.generate.base_models.choose import bases_for_architecture
from hub_ui.generate.base_models.repo_layout import count_parameters
from hub_ui.generate.base_models.spec import PipelineSpec


@dataclass(frozen=True, slots=True)
class ModelSize:
    """`largest` are the parameters of the largest single layer: a text encoder's is the table of its words."""

    parameters: int
    largest: int


_CLIP_L = ModelSize(123_060_480, 37_945_344)
_CLIP_L_PROJECTED = ModelSize(123_650_304, 37_945_344)
_CLIP_H = ModelSize(340_387_840, 50_593_792)
_CLIP_G = ModelSize(694_659_840, 63_242_240)
_T5_XXL = ModelSize(4_762_310_656, 131_596_288)
_UMT5_XXL = ModelSize(5_680_910_336, 1_050_148_864)
_PILE_T5_XL = ModelSize(1_223_550_976, 65_798_144)
_BYT5_SMALL = ModelSize(219_314_944, 5_275_648)
_GEMMA_2_2B = ModelSize(2_614_341_888, 589_824_000)
_GEMMA_3_12B = ModelSize(12_202_563_392, 1_006_878_720)
_LLAMA_8B = ModelSize(8_030_261_248, 525_336_576)
_LLAVA_LLAMA_8B = ModelSize(7_505_186_816, 525_598_720)
_QWEN_25_VL_7B = ModelSize(8_292_166_656, 544_997_376)
_QWEN_25_VL_7B_TEXT = ModelSize(7_070_619_136, 544_997_376)
_QWEN_3_06B = ModelSize(596_049_920, 155_582_464)
_QWEN_3_4B = ModelSize(4_022_468_096, 388_956_160)
_QWEN_3_8B = ModelSize(8_190_735_360, 622_329_856)
_QWEN_3_VL_4B = ModelSize(4_437_815_808, 388_956_160)
_QWEN_3_VL_8B = ModelSize(8_767_123_696, 622_329_856)
_MISTRAL_24B = ModelSize(24_011_361_280, 671_088_640)
_GLM_4_9B = ModelSize(8_779_194_368, 620_756_992)
_CHATGLM_6B = ModelSize(6_243_584_000, 266_338_304)

_VAE_4 = ModelSize(83_653_863, 2_359_808)
_VAE_16 = ModelSize(83_819_683, 2_359_808)
_VAE_FLUX_2 = ModelSize(84_046_115, 2_359_808)
_VAE_WAN = ModelSize(126_892_531, 3_981_696)
_VAE_WAN_22 = ModelSize(704_688_668, 28_312_576)
_VAE_QWEN_2 = ModelSize(337_740_404, 11_945_088)
_VAE_DC = ModelSize(312_250_275, 9_438_208)

_UNET_XL = ModelSize(2_567_463_684, 29_492_480)

Parts = Mapping[str, ModelSize]


def _flux_1(guided: int = 11_901_408_320) -> Parts:
    return {
        "transformer": ModelSize(guided, 56_641_536), "text_encoder": _CLIP_L, "text_encoder_2": _T5_XXL,
        "vae": _VAE_16,
    }  # fmt: skip


def _sd_3(parameters: int, largest: int) -> Parts:
    return {
        "transformer": ModelSize(parameters, largest), "text_encoder": _CLIP_L_PROJECTED, "text_encoder_2": _CLIP_G,
        "text_encoder_3": _T5_XXL, "vae": _VAE_16,
    }  # fmt: skip


def _parts(transformer: tuple[int, int], text_encoder: ModelSize, vae: ModelSize, **more: ModelSize) -> Parts:
    return {"transformer": ModelSize(*transformer), "text_encoder": text_encoder, "vae": vae, **more}


_SD_2: Parts = {"unet": ModelSize(865_910_724, 29_492_480), "text_encoder": _CLIP_H, "vae": _VAE_4}
_SDXL: Parts = {"unet": _UNET_XL, "text_encoder": _CLIP_L, "text_encoder_2": _CLIP_G, "vae": _VAE_4}
_SD_35_LARGE = _sd_3(8_146_280_768, 35_502_336)
_KLEIN_4B = _parts((3_875_544_576, 84_934_656), _QWEN_3_4B, _VAE_FLUX_2)
_KLEIN_9B = _parts((9_078_581_248, 150_994_944), _QWEN_3_8B, _VAE_FLUX_2)
_QWEN_IMAGE = _parts((20_430_401_088, 56_641_536), _QWEN_25_VL_7B, _VAE_WAN)
_Z_IMAGE = _parts((6_154_908_736, 39_321_600), _QWEN_3_4B, _VAE_16)
_CHROMA = _parts((8_899_983_424, 47_188_992), _T5_XXL, _VAE_16)
_AURAFLOW = _parts((6_833_439_744, 56_623_104), _PILE_T5_XL, _VAE_4)
_PIXART = _parts((605_301_152, 7_969_536), _T5_XXL, _VAE_4)
_KREA_2 = _parts((12_820_073_036, 226_529_280), _QWEN_3_VL_4B, _VAE_WAN)
_HIDREAM: Parts = {
    "transformer": ModelSize(17_105_733_184, 78_673_920), "text_encoder": _CLIP_L_PROJECTED, "text_encoder_2": _CLIP_G,
    "text_encoder_3": _T5_XXL, "text_encoder_4": _LLAMA_8B, "vae": _VAE_16,
}  # fmt: skip
_WAN_14B = ModelSize(14_288_491_584, 157_317_120)

# By the ids of table.py.
MODELS: Mapping[str, Parts] = {
    "sd-1.5": {"unet": ModelSize(859_520_964, 29_492_480), "text_encoder": _CLIP_L, "vae": _VAE_4},
    **dict.fromkeys(("sd-2.1", "sd-2.1-768"), _SD_2),
    **dict.fromkeys(
        ("sdxl-1.0", "pony", "illustrious", "noobai", "animagine-xl", "sdxl-turbo", "sdxl-lightning"), _SDXL
    ),
    "kolors": {"unet": ModelSize(2_579_458_820, 29_492_480), "text_encoder": _CHATGLM_6B, "vae": _VAE_4},
    "sd-3": _sd_3(2_084_951_104, 14_164_992),
    "sd-3.5-medium": _sd_3(2_469_663_936, 21_247_488),
    **dict.fromkeys(("sd-3.5-large", "sd-3.5-large-turbo"), _SD_35_LARGE),
    **dict.fromkeys(("flux.1-dev", "flux.1-kontext", "flux.1-krea"), _flux_1()),
    "flux.1-schnell": _flux_1(11_891_178_560),
    **dict.fromkeys(("flux.2-klein-4b", "flux.2-klein-4b-base"), _KLEIN_4B),
    **dict.fromkeys(("flux.2-klein-9b", "flux.2-klein-9b-base"), _KLEIN_9B),
    "flux.2-dev": _parts((32_223_281_152, 339_738_624), _MISTRAL_24B, _VAE_FLUX_2),
    **dict.fromkeys(("qwen-image", "qwen-image-2512", "qwen-image-edit"), _QWEN_IMAGE),
    "qwen-image-2": _parts((7_115_124_736, 67_108_864), _QWEN_3_VL_8B, _VAE_QWEN_2),
    **dict.fromkeys(("z-image", "z-image-turbo"), _Z_IMAGE),
    **dict.fromkeys(("chroma", "chroma-flash"), _CHROMA),
    **dict.fromkeys(("auraflow", "pony-v7"), _AURAFLOW),
    "lumina-2": _parts((2_606_818_752, 21_233_664), _GEMMA_2_2B, _VAE_16),
    "sana": _parts((1_604_462_752, 30_119_040), _GEMMA_2_2B, _VAE_DC),
    "sana-0.6b": _parts((591_747_872, 7_969_536), _GEMMA_2_2B, _VAE_DC),
    **dict.fromkeys(("pixart-sigma", "pixart-alpha"), _PIXART),
    **dict.fromkeys(("hidream", "hidream-fast"), _HIDREAM),
    "anima": _parts(
        (1_956_405_248, 16_777_216), _QWEN_3_06B, _VAE_WAN, text_conditioner=ModelSize(134_663_680, 32_899_072)
    ),
    **dict.fromkeys(("krea-2", "krea-2-turbo"), _KREA_2),
    "cogview4": _parts((6_369_118_272, 67_125_248), _GLM_4_9B, _VAE_16),
    "hunyuan-image": _parts(
        (17_425_795_520, 77_091_840), _QWEN_25_VL_7B, ModelSize(405_575_491, 37_752_832), text_encoder_2=_BYT5_SMALL
    ),
    "wan-2.1-t2v-14b": {"transformer": _WAN_14B, "text_encoder": _UMT5_XXL, "vae": _VAE_WAN},
    "wan-2.1-t2v-1.3b": _parts((1_418_996_800, 14_164_992), _UMT5_XXL, _VAE_WAN),
    "wan-2.2-ti2v-5b": _parts((4_999_787_712, 56_641_536), _UMT5_XXL, _VAE_WAN_22),
    "wan-2.2-t2v-a14b": {
        "transformer": _WAN_14B, "transformer_2": _WAN_14B, "text_encoder": _UMT5_XXL, "vae": _VAE_WAN,
    },
    "ltx-video": _parts((1_923_385_472, 25_178_112), _T5_XXL, ModelSize(419_193_649, 56_627_200)),
    "ltx-2": _parts(
        (18_876_174_592, 100_687_872), _GEMMA_3_12B, ModelSize(1_222_479_601, 113_250_304),
        connectors=ModelSize(1_431_475_200, 722_534_400), audio_vae=ModelSize(53_248_146, 2_359_808),
        vocoder=ModelSize(55_592_802, 8_389_120),
    ),
    "hunyuan-video": _parts(
        (12_821_012_544, 56_641_536), _LLAVA_LLAMA_8B, ModelSize(246_478_803, 7_078_400), text_encoder_2=_CLIP_L
    ),
    "hunyuan-video-1.5": _parts(
        (8_326_608_160, 25_178_112), _QWEN_25_VL_7B_TEXT, ModelSize(1_260_634_115, 226_500_608),
        text_encoder_2=_BYT5_SMALL,
    ),
    "cogvideox": _parts((5_570_283_072, 37_761_024), _T5_XXL, ModelSize(215_583_907, 7_078_400)),
    "cogvideox-2b": _parts((1_693_783_872, 14_753_280), _T5_XXL, ModelSize(215_583_907, 7_078_400)),
    "mochi": _parts((10_027_677_744, 50_331_648), _T5_XXL, ModelSize(459_748_611, 15_926_016)),
}  # fmt: skip

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
    alike = [base.id for base in bases_for_architecture(spec.architecture) if base.pipeline == spec.pipeline]
    return next((MODELS[name] for name in (spec.id, *alike) if name in MODELS), None)


def _local_sizes(folder: Path) -> Parts:
    if not folder.is_dir():
        return {}
    counted = {path.name: count_parameters(folder, path.name) for path in sorted(folder.iterdir()) if path.is_dir()}
    return {part: ModelSize(count, round(count * _LARGEST)) for part, count in counted.items() if count}
