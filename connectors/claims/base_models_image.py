"""The table of base models, second part: FLUX and other well-known image models with open weights."""

from __future__ import annotations

from connectors.claims.base_model import BaseModel, row

_RAIL_PP = "CreativeML Open RAIL++-M"
_FLUX_DEV = "FLUX.1 [dev] Non-Commercial License"
_APACHE = "Apache 2.0"
_KLEIN_9B = "FLUX.2 Klein 9B Non-Commercial License"

IMAGE_MODELS: tuple[BaseModel, ...] = (
    # FLUX.1
    row(
        "flux.1-dev",
        "FLUX.1 dev",
        "flux1",
        civitai="Flux.1 D",
        also="black-forest-labs/FLUX.1-Redux-dev terminusresearch/fluxbooru-v0.3 VisualCloze/VisualClozePipeline-384 "
        "XLabs-AI/flux-RealismLora",
        repos="black-forest-labs/FLUX.1-dev camenduru/FLUX.1-dev ashen0209/Flux-Dev2Pro Freepik/flux.1-lite-8B "
        "nyanko7/flux-dev-de-distill",
        aliases="flux, flux1, flux dev, flux.1 dev fp8",
        license=_FLUX_DEV,
    ),
    row(
        "flux.1-schnell",
        "FLUX.1 schnell",
        "flux1",
        civitai="Flux.1 S",
        also="jimmycarter/LibreFlux-SimpleTuner jimmycarter/LibreFLUX",
        repos="black-forest-labs/FLUX.1-schnell ostris/OpenFLUX.1 shuttleai/shuttle-3-diffusion",
        aliases="flux schnell",
        license=_APACHE,
    ),
    row(
        "flux.1-kontext",
        "FLUX.1 Kontext",
        "flux1",
        civitai="Flux.1 Kontext",
        repos="black-forest-labs/FLUX.1-Kontext-dev",
        aliases="flux kontext, kontext, flux kontext dev",
        license=_FLUX_DEV,
    ),
    row(
        "flux.1-krea",
        "FLUX.1 Krea",
        "flux1",
        civitai="Flux.1 Krea",
        repos="black-forest-labs/FLUX.1-Krea-dev",
        aliases="flux krea, flux krea dev",
        license=_FLUX_DEV,
    ),
    row("flux.1-fill", "FLUX.1 Fill", "flux1", repos="black-forest-labs/FLUX.1-Fill-dev", license=_FLUX_DEV),
    row("flux.1-canny", "FLUX.1 Canny", "flux1", repos="black-forest-labs/FLUX.1-Canny-dev", license=_FLUX_DEV),
    row("flux.1-depth", "FLUX.1 Depth", "flux1", repos="black-forest-labs/FLUX.1-Depth-dev", license=_FLUX_DEV),
    row("flex.1", "Flex.1", "flux1", repos="ostris/Flex.1-alpha", license=_APACHE),
    row("flex.2", "Flex.2", "flux1", repos="ostris/Flex.2-preview", license=_APACHE),
    # FLUX.2
    row(
        "flux.2-dev",
        "FLUX.2 dev",
        "flux2",
        civitai="Flux.2 D",
        also="diffusers/flux2-bnb-4bit-modular",
        repos="black-forest-labs/FLUX.2-dev",
        aliases="flux2",
        license="FLUX.2 [dev] Non-Commercial License",
    ),
    row(
        "flux.2-klein-9b",
        "FLUX.2 Klein 9B",
        "flux2",
        civitai="Flux.2 Klein 9B",
        repos="black-forest-labs/FLUX.2-klein-9B",
        license=_KLEIN_9B,
    ),
    row(
        "flux.2-klein-9b-base",
        "FLUX.2 Klein 9B base",
        "flux2",
        civitai="Flux.2 Klein 9B-base",
        repos="black-forest-labs/FLUX.2-klein-base-9B",
        license=_KLEIN_9B,
    ),
    row(
        "flux.2-klein-4b",
        "FLUX.2 Klein 4B",
        "flux2",
        civitai="Flux.2 Klein 4B",
        repos="black-forest-labs/FLUX.2-klein-4B",
        aliases="flux2 klein",
        license=_APACHE,
    ),
    row(
        "flux.2-klein-4b-base",
        "FLUX.2 Klein 4B base",
        "flux2",
        civitai="Flux.2 Klein 4B-base",
        repos="black-forest-labs/FLUX.2-klein-base-4B",
        license=_APACHE,
    ),
    # Everything else that draws images
    row(
        "anima",
        "Anima",
        "anima",
        civitai="Anima",
        repos="circlestone-labs/Anima circlestone-labs/Anima-Base-v1.0-Diffusers",
        also="CalamitousFelicitousness/Anima-sdnext-diffusers "
        "CalamitousFelicitousness/Anima-Preview-2-sdnext-diffusers "
        "CalamitousFelicitousness/Anima-Preview-3-sdnext-diffusers",
        license="CircleStone Labs Non-Commercial License v1.0",
    ),
    row(
        "auraflow",
        "AuraFlow",
        "auraflow",
        civitai="AuraFlow",
        repos="fal/AuraFlow fal/AuraFlow-v0.2 fal/AuraFlow-v0.3",
        also="AuraDiffusion/auradiffusion-v0.1a0",
        license=_APACHE,
    ),
    row("pony-v7", "Pony V7", "auraflow", civitai="Pony V7", repos="purplesmartai/pony-v7-base", license="Pony"),
    row(
        "chroma",
        "Chroma",
        "chroma",
        civitai="Chroma",
        repos="lodestones/Chroma lodestones/Chroma1-HD lodestones/Chroma1-Base lodestones/Chroma1-Flash "
        "lodestones/Chroma1-Radiance",
        license=_APACHE,
    ),
    row(
        "cogview4",
        "CogView4",
        "cogview4",
        repos="THUDM/CogView4-6B zai-org/CogView4-6B",
        also="THUDM/CogView4-6B-Control zai-org/CogView4-6B-Control",
        license=_APACHE,
    ),
    row(
        "ernie",
        "ERNIE-Image",
        "ernie",
        civitai="Ernie",
        repos="baidu/ERNIE-Image baidu/ERNIE-Image-Turbo",
        also="rootonchair/ERNIE-Image-Turbo-nunchaku-lite-nvfp4",
        aliases="ernie turbo",
        license=_APACHE,
    ),
    row(
        "hidream",
        "HiDream",
        "hidream",
        civitai="HiDream",
        repos="HiDream-ai/HiDream-I1-Full HiDream-ai/HiDream-I1-Dev HiDream-ai/HiDream-I1-Fast "
        "HiDream-ai/HiDream-E1-Full HiDream-ai/HiDream-E1-1",
        aliases="hidream i1",
        license="MIT",
    ),
    row(
        "hidream-o1",
        "HiDream-O1",
        "hidream-o1",
        civitai="HiDream-O1",
        repos="HiDream-ai/HiDream-O1-Image",
        license="MIT",
    ),
    row(
        "hunyuan-1",
        "Hunyuan-DiT",
        "hunyuan-dit",
        civitai="Hunyuan 1",
        repos="Tencent-Hunyuan/HunyuanDiT Tencent-Hunyuan/HunyuanDiT-v1.2-Diffusers",
        also="Tencent-Hunyuan/HunyuanDiT-v1.1-Diffusers Tencent-Hunyuan/HunyuanDiT-v1.1-Diffusers-Distilled "
        "Tencent-Hunyuan/HunyuanDiT-v1.2-Diffusers-Distilled XCLiu/HunyuanDiT-0523",
        license="Tencent Hunyuan Community License Agreement",
    ),
    row(
        "hunyuan-image",
        "HunyuanImage 2.1",
        "hunyuan-image",
        repos="tencent/HunyuanImage-2.1 hunyuanvideo-community/HunyuanImage-2.1-Diffusers",
        also="hunyuanvideo-community/HunyuanImage-2.1-Distilled-Diffusers "
        "hunyuanvideo-community/HunyuanImage-2.1-Refiner-Diffusers",
    ),
    row(
        "ideogram-4",
        "Ideogram 4.0",
        "ideogram4",
        civitai="Ideogram 4.0",
        repos="ideogram-ai/ideogram-4",
        also="ideogram-ai/ideogram-v4",
        license="Ideogram Non-Commercial Model Agreement (NC)",
    ),
    row(
        "boogu",
        "Boogu",
        "boogu",
        civitai="Boogu",
        repos="Boogu/Boogu-Image-0.1-Base Boogu/Boogu-Image-0.1-Edit",
        also="SimpleTuner/Boogu-Image-0.1-Turbo Boogu/Boogu-Image-0.1-Turbo",
        license=_APACHE,
    ),
    row(
        "krea-2",
        "Krea 2",
        "krea2",
        civitai="Krea 2",
        repos="krea/Krea-2-Raw krea/Krea-2-Turbo",
        license="Krea AI Terms of Service",
    ),
    row("lens", "Lens", "lens", civitai="Lens"),
    row(
        "lumina-2",
        "Lumina 2",
        "lumina2",
        civitai="Lumina",
        repos="Alpha-VLLM/Lumina-Image-2.0 neta-art/Neta-Lumina",
        also="terminusresearch/neta-lumina-v1",
        aliases="lumina image 2",
        license=_APACHE,
    ),
    row(
        "mageflow",
        "MageFlow",
        "mageflow",
        civitai="MageFlow",
        repos="microsoft/Mage-Flow-Base microsoft/Mage-Flow-Edit-Base",
        also="microsoft/Mage-Flow-Edit-Turbo microsoft/Mage-Flow-Turbo",
        license="MIT",
    ),
    row("omnigen2", "OmniGen2", "omnigen2", repos="OmniGen2/OmniGen2", license=_APACHE),
    row(
        "pixart-alpha",
        "PixArt-α",
        "pixart",
        civitai="PixArt a",
        repos="PixArt-alpha/PixArt-XL-2-1024-MS PixArt-alpha/PixArt-XL-2-512x512",
        also="PixArt-alpha/PixArt-LCM-XL-2-1024-MS PixArt-alpha/PixArt-XL-2-256x256",
        aliases="pixart",
        license=_RAIL_PP,
    ),
    row(
        "pixart-sigma",
        "PixArt-Σ",
        "pixart",
        civitai="PixArt E",
        repos="PixArt-alpha/PixArt-Sigma-XL-2-1024-MS",
        also="PixArt-alpha/PixArt-Sigma-XL-2-512-MS PixArt-alpha/PixArt-Sigma-XL-2-2K-MS "
        "PixArt-alpha/pixart_sigma_sdxlvae_T5_diffusers terminusresearch/pixart-900m-1024-ft-v0.6 "
        "terminusresearch/pixart-900m-1024-ft-v0.7-stage1",
        license=_RAIL_PP,
    ),
    row(
        "qwen-image",
        "Qwen-Image",
        "qwen-image",
        civitai="Qwen",
        repos="Qwen/Qwen-Image Qwen/Qwen-Image-2512",
        also="Qwen/QwenImage-20B",
        aliases="qwen image 1",
        license=_APACHE,
    ),
    row(
        "qwen-image-edit",
        "Qwen-Image-Edit",
        "qwen-image",
        repos="Qwen/Qwen-Image-Edit Qwen/Qwen-Image-Edit-2509 Qwen/Qwen-Image-Edit-2511",
        aliases="qwen edit, qwen image edit plus",
        license=_APACHE,
    ),
    row(
        "qwen-image-layered",
        "Qwen-Image-Layered",
        "qwen-image",
        repos="Qwen/Qwen-Image-Layered",
        aliases="qwen layered",
        license=_APACHE,
    ),
    row("qwen-image-2", "Qwen-Image 2", "qwen-image-2", civitai="Qwen 2", repos="Qwen/Qwen-Image-2.0", license=_APACHE),
    row("qwen-image-3", "Qwen-Image 3", "qwen-image-3", civitai="Qwen 3", license=_APACHE),
    row(
        "sana",
        "Sana",
        "sana",
        repos="Efficient-Large-Model/Sana_1600M_1024px Efficient-Large-Model/Sana_1600M_1024px_diffusers "
        "Efficient-Large-Model/SANA1.5_1.6B_1024px",
        also="Efficient-Large-Model/SANA1.5_4.8B_1024px_diffusers Efficient-Large-Model/Sana_1600M_512px_diffusers "
        "Efficient-Large-Model/Sana_600M_1024px_diffusers Efficient-Large-Model/Sana_600M_512px_diffusers "
        "Efficient-Large-Model/Sana_1600M_2Kpx_BF16_diffusers Efficient-Large-Model/Sana_1600M_4Kpx_BF16_diffusers "
        "Efficient-Large-Model/Sana_1600M_1024px_MultiLing_diffusers terminusresearch/sana-1.6b-1024px "
        "Efficient-Large-Model/Sana_1600M_512px_MultiLing_diffusers "
        "Efficient-Large-Model/Sana_Sprint_0.6B_1024px_diffusers "
        "Efficient-Large-Model/Sana_Sprint_1.6B_1024px_diffusers",
    ),
    row(
        "z-image-turbo",
        "Z-Image Turbo",
        "z-image",
        civitai="ZImageTurbo",
        repos="Tongyi-MAI/Z-Image-Turbo",
        also="ostris/Z-Image-De-Turbo",
        aliases="zit",
        license=_APACHE,
    ),
    row(
        "z-image",
        "Z-Image",
        "z-image",
        civitai="ZImageBase",
        repos="Tongyi-MAI/Z-Image Tongyi-MAI/Z-Image-Base",
        also="TONGYI-Lab/Z-Image-Edit TONGYI-Lab/Z-Image-Omni INCModel/Z-Image-W4A16-AutoRound",
        license=_APACHE,
    ),
    row("zeta-chroma", "Zeta-Chroma", "z-image", repos="lodestones/Zeta-Chroma"),
)
