"""The table of base models: lineages on an architecture, how each is called, and its licence."""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.claims.base_model_repos import OTHER_REPOS, REPOS

# Base models by licence; that of the others is not known.
LICENSES: Mapping[str, str] = {
    "Apache 2.0": "tiny-shapes flux.1-schnell flex.1 flex.2 flux.2-klein-4b flux.2-klein-4b-base auraflow chroma "
    "cogview4 ernie boogu lumina-2 omnigen2 qwen-image qwen-image-edit qwen-image-layered qwen-image-2 qwen-image-3 "
    "z-image-turbo z-image kandinsky-3 longcat-image ovis-image prx prx-pixel mochi wan wan-2.1-t2v-1.3b "
    "wan-2.1-t2v-14b wan-2.1-i2v-14b-480p wan-2.1-i2v-14b-720p wan-2.2-ti2v-5b wan-2.2-i2v-a14b wan-2.2-t2v-a14b "
    "allegro ace-step",
    "CreativeML Open RAIL-M": "sd-1.4 sd-1.5 sd-1.5-lcm sd-1.5-hyper pony",
    "CreativeML Open RAIL++-M": "sd-2.0 sd-2.0-768 sd-2.1 sd-2.1-768 sd-2.1-unclip sdxl-1.0 sdxl-1.0-lcm "
    "sdxl-lightning sdxl-hyper sdxl-distilled sdxl-refiner sd-x4-upscaler pixart-alpha pixart-sigma",
    "Stability AI Non-Commercial Research Community License": "sdxl-turbo",
    "Illustrious License": "illustrious",
    "NoobAI License": "noobai",
    "Kolors License": "kolors",
    "Playground v2 Community License": "playground-v2",
    "Stability AI Community License Agreement": "sd-3 sd-3.5 sd-3.5-large sd-3.5-large-turbo sd-3.5-medium "
    "stable-audio stable-audio-3",
    "SAI NC RC": "stable-cascade",
    "FLUX.1 [dev] Non-Commercial License": "flux.1-dev flux.1-kontext flux.1-krea flux.1-fill flux.1-canny "
    "flux.1-depth",
    "FLUX.2 [dev] Non-Commercial License": "flux.2-dev",
    "FLUX.2 Klein 9B Non-Commercial License": "flux.2-klein-9b flux.2-klein-9b-base",
    "CircleStone Labs Non-Commercial License v1.0": "anima",
    "Pony": "pony-v7",
    "MIT": "hidream hidream-o1 mageflow omnigen longcat-video i2vgen-xl ace-step-1.5 ace-step-1.5-xl",
    "Tencent Hunyuan Community License Agreement": "hunyuan-1",
    "Ideogram Non-Commercial Model Agreement (NC)": "ideogram-4",
    "Krea 2 Community License": "krea-2",
    "CogVideoX License": "cogvideox",
    "Tencent Hunyuan Video License Agreement": "hunyuan-video",
    "LTX Video License": "ltx-video ltx-2",
    "LTX-2 Community License Agreement": "ltx-2.3 ltx-2.5",
    "MiniMax Hailuo AI Terms of Service": "minimax-h3",
    "Stable Video Diffusion Community License": "svd svd-xt",
    "Black Forest Labs Terms of Service": "flux-3-video",
    "Grok": "grok",
    "HappyHorse": "happyhorse",
    "Imagen4": "imagen4 nano-banana",
    "Kuaishou Kling AI Terms of Service": "kling",
    "Microsoft AI Terms of Use": "mai",
    "OpenAI": "openai sora-2",
    "Reve AI Terms of Service": "reve",
    "Seedream": "seedance seedream",
    "Veo 3": "veo-3",
    "ShengShu Vidu Terms of Service": "vidu-q1",
    "Alibaba Wan / Tongyi Wanxiang Terms of Service": "wan-2.5-t2v wan-2.5-i2v wan-2.7 wan-image-2.7",
}
_LICENSE_OF = {model_id: license for license, models in LICENSES.items() for model_id in models.split()}


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseModel:
    """`architecture` is None where the weights are not published, so that no file can prove one.

    `repos` are Hugging Face ids, the author's own first, by which LoRAs are searched; `also` are only recognised.
    `license` is the base's own, which binds its LoRAs too.
    """

    id: str
    label: str
    architecture: str | None
    civitai: tuple[str, ...] = ()
    repos: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    license: str | None = None


def _row(model_id: str, label: str, architecture: str | None = None, civitai: str = "", aliases: str = "") -> BaseModel:
    """Names are separated by commas."""
    return BaseModel(
        id=model_id,
        label=label,
        architecture=architecture,
        civitai=tuple(civitai.split(", ")) if civitai else (),
        repos=tuple(REPOS.get(model_id, "").split()),
        also=tuple(OTHER_REPOS.get(model_id, "").split()),
        aliases=tuple(aliases.split(", ")) if aliases else (),
        license=_LICENSE_OF.get(model_id),
    )


BASE_MODELS: tuple[BaseModel, ...] = (
    # The demo's own base, small enough to draw on a CPU in seconds.
    _row("tiny-shapes", "Tiny Shapes", "tiny-shapes", civitai="Tiny Shapes"),
    # Stable Diffusion 1 and 2
    _row("sd-1.4", "SD 1.4", "sd1", civitai="SD 1.4"),
    _row(
        "sd-1.5",
        "SD 1.5",
        "sd1",
        civitai="SD 1.5",
        aliases="sd1, sd1.x, sd v1.5, sd_v1, stable diffusion 1.5, stable diffusion 1, stable-diffusion-v1, "
        "stable diffusion",
    ),
    _row("sd-1.5-lcm", "SD 1.5 LCM", "sd1", civitai="SD 1.5 LCM"),
    _row("sd-1.5-hyper", "SD 1.5 Hyper", "sd1", civitai="SD 1.5 Hyper"),
    _row("sd-2.0", "SD 2.0", "sd2", civitai="SD 2.0"),
    _row("sd-2.0-768", "SD 2.0 768", "sd2", civitai="SD 2.0 768", aliases="sd2, sd2.x, sd_v2"),
    _row("sd-2.1", "SD 2.1", "sd2", civitai="SD 2.1"),
    _row("sd-2.1-768", "SD 2.1 768", "sd2", civitai="SD 2.1 768", aliases="sd_v2_v"),
    _row("sd-2.1-unclip", "SD 2.1 unCLIP", "sd2", civitai="SD 2.1 Unclip"),
    # Stable Diffusion XL and what was trained from it
    _row("sdxl-0.9", "SDXL 0.9", "sdxl", civitai="SDXL 0.9"),
    _row(
        "sdxl-1.0",
        "SDXL 1.0",
        "sdxl",
        civitai="SDXL 1.0",
        aliases="sdxl base, sdxl 1, stable diffusion xl, sdxl_base_v1-0, stable-diffusion-xl-v1-base",
    ),
    _row("sdxl-1.0-lcm", "SDXL 1.0 LCM", "sdxl", civitai="SDXL 1.0 LCM"),
    _row("sdxl-lightning", "SDXL Lightning", "sdxl", civitai="SDXL Lightning"),
    _row("sdxl-hyper", "SDXL Hyper", "sdxl", civitai="SDXL Hyper"),
    _row("sdxl-turbo", "SDXL Turbo", "sdxl", civitai="SDXL Turbo"),
    # Distilled SDXL drops blocks of the network, so SDXL LoRAs don't fit it.
    _row("sdxl-distilled", "SDXL Distilled", "ssd-1b", civitai="SDXL Distilled"),
    _row("pony", "Pony", "sdxl", civitai="Pony", aliases="pony v6, ponyxl, pdxl, pony diffusion"),
    _row("illustrious", "Illustrious", "sdxl", civitai="Illustrious", aliases="illustrious xl, ilxl, wai-illustrious"),
    _row("noobai", "NoobAI", "sdxl", civitai="NoobAI", aliases="noobai xl, noob"),
    _row("animagine-xl", "Animagine XL", "sdxl", aliases="animagine"),
    _row("kolors", "Kolors", "sdxl", civitai="Kolors"),
    _row("playground-v2", "Playground v2", "sdxl", civitai="Playground v2", aliases="playground v2.5"),
    _row("sdxl-refiner", "SDXL Refiner", "sdxl-refiner"),
    _row("sd-x4-upscaler", "SD x4 Upscaler", "sd-x4-upscaler"),
    # Stable Diffusion 3
    _row("sd-3", "SD 3", "sd3", civitai="SD 3", aliases="stable diffusion 3"),
    _row("sd-3.5", "SD 3.5", "sd3", civitai="SD 3.5", aliases="stable diffusion 3.5"),
    _row("sd-3.5-large", "SD 3.5 Large", "sd3", civitai="SD 3.5 Large"),
    _row("sd-3.5-large-turbo", "SD 3.5 Large Turbo", "sd3", civitai="SD 3.5 Large Turbo"),
    _row("sd-3.5-medium", "SD 3.5 Medium", "sd3", civitai="SD 3.5 Medium"),
    _row("stable-cascade", "Stable Cascade", "stable-cascade", civitai="Stable Cascade"),
    # FLUX.1
    _row("flux.1-dev", "FLUX.1 dev", "flux1", civitai="Flux.1 D", aliases="flux, flux1, flux dev, flux.1 dev fp8"),
    _row("flux.1-schnell", "FLUX.1 schnell", "flux1", civitai="Flux.1 S", aliases="flux schnell"),
    _row(
        "flux.1-kontext",
        "FLUX.1 Kontext",
        "flux1",
        civitai="Flux.1 Kontext",
        aliases="flux kontext, kontext, flux kontext dev",
    ),
    _row("flux.1-krea", "FLUX.1 Krea", "flux1", civitai="Flux.1 Krea", aliases="flux krea, flux krea dev"),
    _row("flux.1-fill", "FLUX.1 Fill", "flux1"),
    _row("flux.1-canny", "FLUX.1 Canny", "flux1"),
    _row("flux.1-depth", "FLUX.1 Depth", "flux1"),
    _row("flex.1", "Flex.1", "flux1"),
    _row("flex.2", "Flex.2", "flux1"),
    # FLUX.2
    _row("flux.2-dev", "FLUX.2 dev", "flux2", civitai="Flux.2 D", aliases="flux2"),
    _row("flux.2-klein-9b", "FLUX.2 Klein 9B", "flux2", civitai="Flux.2 Klein 9B"),
    _row("flux.2-klein-9b-base", "FLUX.2 Klein 9B base", "flux2", civitai="Flux.2 Klein 9B-base"),
    _row("flux.2-klein-4b", "FLUX.2 Klein 4B", "flux2", civitai="Flux.2 Klein 4B", aliases="flux2 klein"),
    _row("flux.2-klein-4b-base", "FLUX.2 Klein 4B base", "flux2", civitai="Flux.2 Klein 4B-base"),
    # Other networks for images
    _row("anima", "Anima", "anima", civitai="Anima"),
    _row("auraflow", "AuraFlow", "auraflow", civitai="AuraFlow"),
    _row("pony-v7", "Pony V7", "auraflow", civitai="Pony V7"),
    _row("chroma", "Chroma", "chroma", civitai="Chroma"),
    _row("cogview4", "CogView4", "cogview4"),
    _row("ernie", "ERNIE-Image", "ernie", civitai="Ernie", aliases="ernie turbo"),
    _row("hidream", "HiDream", "hidream", civitai="HiDream", aliases="hidream i1"),
    _row("hidream-o1", "HiDream-O1", "hidream-o1", civitai="HiDream-O1"),
    _row("hunyuan-1", "Hunyuan-DiT", "hunyuan-dit", civitai="Hunyuan 1"),
    _row("hunyuan-image", "HunyuanImage 2.1", "hunyuan-image"),
    _row("hunyuan-image-refiner", "HunyuanImage 2.1 refiner", "hunyuan-image"),
    _row("ideogram-4", "Ideogram 4.0", "ideogram4", civitai="Ideogram 4.0"),
    _row("boogu", "Boogu", "boogu", civitai="Boogu"),
    _row("krea-2", "Krea 2", "krea2", civitai="Krea 2"),
    _row("lens", "Lens", "lens", civitai="Lens"),
    _row("lumina-2", "Lumina 2", "lumina2", civitai="Lumina", aliases="lumina image 2"),
    _row("mageflow", "MageFlow", "mageflow", civitai="MageFlow"),
    _row("omnigen2", "OmniGen2", "omnigen2"),
    _row("pixart-alpha", "PixArt-α", "pixart", civitai="PixArt a", aliases="pixart"),
    _row("pixart-sigma", "PixArt-Σ", "pixart", civitai="PixArt E"),
    _row("qwen-image", "Qwen-Image", "qwen-image", civitai="Qwen", aliases="qwen image 1"),
    _row("qwen-image-edit", "Qwen-Image-Edit", "qwen-image", aliases="qwen edit, qwen image edit plus"),
    _row("qwen-image-layered", "Qwen-Image-Layered", "qwen-image", aliases="qwen layered"),
    _row("qwen-image-2", "Qwen-Image 2", "qwen-image-2", civitai="Qwen 2", aliases="qwen 2.1, qwen image 2.1"),
    _row("qwen-image-3", "Qwen-Image 3", "qwen-image-3", civitai="Qwen 3"),
    _row("sana", "Sana", "sana"),
    _row("z-image-turbo", "Z-Image Turbo", "z-image", civitai="ZImageTurbo", aliases="zit"),
    _row("z-image", "Z-Image", "z-image", civitai="ZImageBase"),
    _row("zeta-chroma", "Zeta-Chroma", "z-image"),
    # Networks beyond CivitAI's list
    _row("bria", "Bria 3.2", "bria"),
    _row("bria-fibo", "Bria FIBO", "bria-fibo"),
    _row("cogview3", "CogView3-Plus", "cogview3"),
    _row("deepfloyd-if", "DeepFloyd IF", "deepfloyd-if"),
    _row("amused", "aMUSEd", "amused"),
    _row("dit", "DiT", "dit"),
    _row("dreamlite", "DreamLite", "dreamlite"),
    _row("f-lite", "F Lite", "f-lite"),
    _row("flux.3", "FLUX.3", "flux3", aliases="flux.3 klein"),
    _row("glm-image", "GLM-Image", "glm-image"),
    _row("joy-image", "JoyAI Image", "joy-image"),
    _row("kandinsky-2", "Kandinsky 2", "kandinsky2", aliases="kandinsky 2.1, kandinsky 2.2"),
    _row("kandinsky-3", "Kandinsky 3", "kandinsky3"),
    _row("longcat-image", "LongCat-Image", "longcat-image"),
    _row("lumina-next", "Lumina-Next", "lumina-next"),
    _row("ming-image", "Ming-Image", "ming-image"),
    _row("nucleus-image", "Nucleus-Image", "nucleus-image"),
    _row("omnigen", "OmniGen", "omnigen"),
    _row("ovis-image", "Ovis-Image", "ovis-image"),
    _row("prx", "PRX", "prx"),
    _row("prx-pixel", "PRX Pixel", "prx"),
    _row("wuerstchen", "Würstchen", "wuerstchen"),
    _row("karlo", "Karlo", "unclip"),
    _row("zlab-i1", "ZLab i1", "zlab-i1"),
    _row("cogvideox", "CogVideoX", "cogvideox", civitai="CogVideoX", aliases="cogvideo"),
    _row("hunyuan-video", "HunyuanVideo", "hunyuan-video", civitai="Hunyuan Video", aliases="hunyuan, hyv"),
    _row("hunyuan-video-1.5", "HunyuanVideo 1.5", "hunyuan-video-1.5"),
    _row("ltx-video", "LTX-Video", "ltx-video", civitai="LTXV", aliases="ltx, ltxv 0.9"),
    _row("ltx-2", "LTX-2", "ltx-video-2", civitai="LTXV2"),
    _row("ltx-2.3", "LTX-2.3", "ltx-video-2", civitai="LTXV 2.3"),
    _row("ltx-2.5", "LTX-2.5", "ltx-video-2", aliases="ltxv 2.5"),
    _row("mochi", "Mochi", "mochi", civitai="Mochi", aliases="mochi 1"),
    _row("minimax-h3", "MiniMax H3", "minimax-h3", civitai="MiniMax H3"),
    _row("svd", "SVD", "svd", civitai="SVD"),
    _row("svd-xt", "SVD XT", "svd", civitai="SVD XT"),
    # Wan
    _row("wan", "Wan Video", "wan", civitai="Wan Video", aliases="wan 2.1, wan video 2.1, wan 2.2"),
    _row("wan-2.1-t2v-1.3b", "Wan 2.1 T2V 1.3B", "wan", civitai="Wan Video 1.3B t2v"),
    _row("wan-2.1-t2v-14b", "Wan 2.1 T2V 14B", "wan", civitai="Wan Video 14B t2v"),
    _row("wan-2.1-i2v-14b-480p", "Wan 2.1 I2V 14B 480p", "wan", civitai="Wan Video 14B i2v 480p"),
    _row("wan-2.1-i2v-14b-720p", "Wan 2.1 I2V 14B 720p", "wan", civitai="Wan Video 14B i2v 720p"),
    _row("wan-2.2-ti2v-5b", "Wan 2.2 TI2V 5B", "wan", civitai="Wan Video 2.2 TI2V-5B"),
    _row("wan-2.2-i2v-a14b", "Wan 2.2 I2V A14B", "wan", civitai="Wan Video 2.2 I2V-A14B"),
    _row("wan-2.2-t2v-a14b", "Wan 2.2 T2V A14B", "wan", civitai="Wan Video 2.2 T2V-A14B"),
    # Networks for videos beyond CivitAI's list
    _row("allegro", "Allegro", "allegro"),
    _row("cosmos", "Cosmos", "cosmos", aliases="cosmos predict 2"),
    _row("cosmos-3", "Cosmos 3", "cosmos3"),
    _row("easyanimate", "EasyAnimate", "easyanimate"),
    _row("kandinsky-5", "Kandinsky 5", "kandinsky5", aliases="kandinsky 5.0"),
    _row("kandinsky-6", "Kandinsky 6", "kandinsky6"),
    _row("latte", "Latte", "latte"),
    _row("longcat-video", "LongCat-Video", "longcat-video"),
    _row("modelscope-t2v", "ModelScope T2V", "modelscope-t2v"),
    _row("i2vgen-xl", "I2VGen-XL", "i2vgen-xl"),
    _row("lingbot-video", "LingBot-Video", "lingbot-video"),
    _row("motif-video", "Motif-Video", "motif-video"),
    _row("sana-video", "SANA-Video", "sana-video"),
    # Sound
    _row("ace-step", "ACE-Step", "ace-step", civitai="ACE Audio"),
    _row("ace-step-1.5", "ACE-Step 1.5", "ace-step"),
    _row("ace-step-1.5-xl", "ACE-Step 1.5 XL", "ace-step"),
    _row("audioldm-2", "AudioLDM 2", "audioldm2"),
    _row("longcat-audio", "LongCat-AudioDiT", "longcat-audio"),
    _row("minimax-music-3", "MiniMax Music 3", "minimax-music3"),
    _row("stable-audio", "Stable Audio Open", "stable-audio"),
    _row("stable-audio-3", "Stable Audio 3", "stable-audio-3"),
    # 3D
    _row("hunyuan3d", "Hunyuan3D", "hunyuan3d", civitai="Hunyuan3D"),
    # Services: CivitAI lists them, but no weights are published, so nothing can be downloaded for them.
    _row("flux-3-video", "FLUX.3 Video", civitai="Flux 3 Video"),
    _row("grok", "Grok", civitai="Grok"),
    _row("happyhorse", "HappyHorse", civitai="HappyHorse"),
    _row("imagen4", "Imagen 4", civitai="Imagen4"),
    _row("kling", "Kling", civitai="Kling"),
    _row("mai", "MAI", civitai="MAI"),
    _row("nano-banana", "Nano Banana", civitai="Nano Banana"),
    _row("odor", "ODOR", civitai="ODOR"),
    _row("openai", "OpenAI", civitai="OpenAI"),
    _row("polygen", "PolyGen", civitai="PolyGen"),
    _row("reve", "Reve", civitai="Reve"),
    _row("seedance", "Seedance", civitai="Seedance"),
    _row("seedream", "Seedream", civitai="Seedream"),
    _row("sora-2", "Sora 2", civitai="Sora 2"),
    _row("tripo", "Tripo", civitai="Tripo"),
    _row("veo-3", "Veo 3", civitai="Veo 3"),
    _row("vidu-q1", "Vidu Q1", civitai="Vidu Q1"),
    _row("wan-2.5-t2v", "Wan 2.5 T2V", civitai="Wan Video 2.5 T2V"),
    _row("wan-2.5-i2v", "Wan 2.5 I2V", civitai="Wan Video 2.5 I2V"),
    _row("wan-2.7", "Wan 2.7", civitai="Wan Video 2.7"),
    _row("wan-image-2.7", "Wan Image 2.7", civitai="Wan Image 2.7"),
    # No base model at all: what authors choose when theirs isn't listed, and post-processing.
    _row("other", "Other", civitai="Other"),
    _row("upscaler", "Upscaler", civitai="Upscaler"),
)
