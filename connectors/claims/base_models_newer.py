"""The table of base models, third part: networks that diffusers and trainers know beyond CivitAI's list, and sound."""

from __future__ import annotations

from connectors.claims.base_model import BaseModel, row

_APACHE = "Apache 2.0"
_STABILITY = "Stability AI Community License Agreement"

FURTHER_MODELS: tuple[BaseModel, ...] = (
    # Images
    row("bria", "Bria 3.2", "bria", repos="briaai/BRIA-3.2"),
    row("bria-fibo", "Bria FIBO", "bria-fibo", repos="briaai/FIBO briaai/Fibo-Edit"),
    row("cogview3", "CogView3-Plus", "cogview3", repos="THUDM/CogView3-Plus-3B zai-org/CogView3-Plus-3B"),
    row(
        "deepfloyd-if",
        "DeepFloyd IF",
        "deepfloyd-if",
        repos="DeepFloyd/IF-I-XL-v1.0 DeepFloyd/IF-I-L-v1.0 DeepFloyd/IF-I-M-v1.0",
        also="DeepFloyd/IF-II-L-v1.0 DeepFloyd/IF-II-M-v1.0",
    ),
    row("amused", "aMUSEd", "amused", repos="amused/amused-512 amused/amused-256"),
    row("dit", "DiT", "dit", repos="facebook/DiT-XL-2-256 facebook/DiT-XL-2-512"),
    row("dreamlite", "DreamLite", "dreamlite", repos="carlofkl/DreamLite-base carlofkl/DreamLite-mobile"),
    row("f-lite", "F Lite", "f-lite", repos="Freepik/F-Lite", also="Freepik/F-Lite-Texture"),
    row("flux.3", "FLUX.3", "flux3"),
    row("glm-image", "GLM-Image", "glm-image", repos="zai-org/GLM-Image"),
    row(
        "joy-image",
        "JoyAI Image",
        "joy-image",
        repos="jdopensource/JoyAI-Image-Edit-Diffusers",
        also="jdopensource/JoyAI-Image-Edit-Plus-Diffusers jdopensource/JoyAI-Image-Edit",
    ),
    row(
        "kandinsky-2",
        "Kandinsky 2",
        "kandinsky2",
        repos="kandinsky-community/kandinsky-2-2-decoder kandinsky-community/kandinsky-2-1",
        also="kandinsky-community/kandinsky-2-2-prior kandinsky-community/kandinsky-2-1-prior "
        "kandinsky-community/kandinsky-2-1-inpaint kandinsky-community/kandinsky-2-2-decoder-inpaint "
        "kandinsky-community/kandinsky-2-2-controlnet-depth",
    ),
    row("kandinsky-3", "Kandinsky 3", "kandinsky3", repos="kandinsky-community/kandinsky-3", license=_APACHE),
    row(
        "longcat-image",
        "LongCat-Image",
        "longcat-image",
        repos="meituan-longcat/LongCat-Image meituan-longcat/LongCat-Image-Dev meituan-longcat/LongCat-Image-Edit",
        also="meituan-longcat/LongCat-Image-Edit-Turbo",
        license=_APACHE,
    ),
    row(
        "lumina-next",
        "Lumina-Next",
        "lumina-next",
        repos="Alpha-VLLM/Lumina-Next-SFT Alpha-VLLM/Lumina-Next-SFT-diffusers",
        also="Alpha-VLLM/Lumina-Next-T2I",
    ),
    row("nucleus-image", "Nucleus-Image", "nucleus-image", repos="NucleusAI/Nucleus-Image NucleusAI/NucleusMoE-Image"),
    row("omnigen", "OmniGen", "omnigen", repos="Shitao/OmniGen-v1 Shitao/OmniGen-v1-diffusers", license="MIT"),
    row("ovis-image", "Ovis-Image", "ovis-image", repos="AIDC-AI/Ovis-Image-7B", license=_APACHE),
    row(
        "prx",
        "PRX",
        "prx",
        repos="Photoroom/prx-512-t2i-sft Photoroom/prx-256-t2i Photoroom/prx-512-t2i",
        also="Photoroom/prx-256-t2i-sft Photoroom/prx-512-t2i-sft-distilled Photoroom/prx-512-t2i-dc-ae "
        "Photoroom/prx-512-t2i-dc-ae-sft Photoroom/prx-512-t2i-dc-ae-sft-distilled Photoroom/prx-1024-t2i-beta",
        license=_APACHE,
    ),
    row("prx-pixel", "PRX Pixel", "prx", repos="Photoroom/prxpixel-t2i", license=_APACHE),
    row(
        "wuerstchen",
        "Würstchen",
        "wuerstchen",
        repos="warp-ai/wuerstchen warp-ai/wuerstchen-prior",
        also="warp-ai/WuerstchenCombinedPipeline",
    ),
    row(
        "karlo", "Karlo", "unclip", repos="kakaobrain/karlo-v1-alpha", also="kakaobrain/karlo-v1-alpha-image-variations"
    ),
    row("zlab-i1", "ZLab i1", "zlab-i1", repos="zlab-princeton/i1-3B"),
    # Films
    row("allegro", "Allegro", "allegro", repos="rhymes-ai/Allegro", license=_APACHE),
    row(
        "cosmos",
        "Cosmos",
        "cosmos",
        repos="nvidia/Cosmos-Predict2-2B-Text2Image nvidia/Cosmos-Predict2-14B-Text2Image nvidia/Cosmos-Predict2.5-2B",
        also="nvidia/Cosmos-Predict2-2B-Video2World nvidia/Cosmos-Predict2-14B-Video2World "
        "nvidia/Cosmos-Predict2.5-14B nvidia/Cosmos-Transfer2.5-2B nvidia/Cosmos-1.0-Diffusion-7B-Text2World "
        "nvidia/Cosmos-1.0-Diffusion-7B-Video2World nvidia/Cosmos-1.0-Diffusion-14B-Text2World "
        "nvidia/Cosmos-1.0-Diffusion-14B-Video2World",
        aliases="cosmos predict 2",
    ),
    row(
        "cosmos-3",
        "Cosmos 3",
        "cosmos3",
        repos="nvidia/Cosmos3-Nano nvidia/Cosmos3-Super",
        also="nvidia/Cosmos3-Edge nvidia/Cosmos3-Super-Image2Video",
    ),
    row(
        "easyanimate",
        "EasyAnimate",
        "easyanimate",
        repos="alibaba-pai/EasyAnimateV5.1-12b-zh alibaba-pai/EasyAnimateV5.1-12b-zh-InP",
        also="alibaba-pai/EasyAnimateV5.1-12b-zh-Control alibaba-pai/EasyAnimateV5.1-12b-zh-Control-Camera",
    ),
    row(
        "kandinsky-5",
        "Kandinsky 5",
        "kandinsky5",
        repos="kandinskylab/Kandinsky-5.0-T2I-Lite-sft-Diffusers kandinskylab/Kandinsky-5.0-T2V-Lite-sft-5s-Diffusers "
        "kandinskylab/Kandinsky-5.0-T2V-Pro-sft-5s-Diffusers",
        also="kandinskylab/Kandinsky-5.0-I2I-Lite-sft-Diffusers kandinskylab/Kandinsky-5.0-I2I-Lite-pretrain-Diffusers "
        "kandinskylab/Kandinsky-5.0-T2I-Lite-pretrain-Diffusers kandinskylab/Kandinsky-5.0-I2V-Pro-sft-5s-Diffusers "
        "kandinskylab/Kandinsky-5.0-I2V-Pro-sft-5s kandinskylab/Kandinsky-5.0-I2V-Lite-5s-Diffusers "
        "kandinskylab/Kandinsky-5.0-T2V-Lite-sft-10s-Diffusers "
        "kandinskylab/Kandinsky-5.0-T2V-Lite-pretrain-5s-Diffusers "
        "kandinskylab/Kandinsky-5.0-T2V-Lite-pretrain-10s-Diffusers "
        "kandinskylab/Kandinsky-5.0-T2V-Lite-nocfg-5s-Diffusers "
        "kandinskylab/Kandinsky-5.0-T2V-Lite-nocfg-10s-Diffusers "
        "kandinskylab/Kandinsky-5.0-T2V-Lite-distilled16steps-5s-Diffusers "
        "kandinskylab/Kandinsky-5.0-T2V-Lite-distilled16steps-10s-Diffusers "
        "kandinskylab/Kandinsky-5.0-T2V-Pro-pretrain-10s kandinskylab/Kandinsky-5.0-T2V-Pro-pretrain-5s "
        "kandinskylab/Kandinsky-5.0-T2V-Pro-sft-10s kandinskylab/Kandinsky-5.0-T2V-Pro-sft-10s-Diffusers "
        "kandinskylab/Kandinsky-5.0-T2V-Pro-pretrain-5s-Diffusers "
        "kandinskylab/Kandinsky-5.0-T2V-Pro-pretrain-10s-Diffusers kandinskylab/Kandinsky-5.0-T2V-Pro-sft-5s",
        aliases="kandinsky 5.0",
    ),
    row("kandinsky-6", "Kandinsky 6", "kandinsky6"),
    row("latte", "Latte", "latte", repos="maxin-cn/Latte-1"),
    row("longcat-video", "LongCat-Video", "longcat-video", repos="meituan-longcat/LongCat-Video", license="MIT"),
    row(
        "modelscope-t2v",
        "ModelScope T2V",
        "modelscope-t2v",
        repos="damo-vilab/text-to-video-ms-1.7b",
        also="cerspense/zeroscope_v2_576w cerspense/zeroscope_v2_XL",
    ),
    row("i2vgen-xl", "I2VGen-XL", "i2vgen-xl", repos="ali-vilab/i2vgen-xl", license="MIT"),
    row("motif-video", "Motif-Video", "motif-video", repos="Motif-Technologies/Motif-Video-2B"),
    row(
        "sana-video",
        "SANA-Video",
        "sana-video",
        repos="Efficient-Large-Model/SANA-Video_2B_480p_diffusers",
        also="Efficient-Large-Model/SANA-Video_2B_480p Efficient-Large-Model/SANA-Video_2B_720p_diffusers",
    ),
    # Sound
    row("ace-step", "ACE-Step", "ace-step", civitai="ACE Audio", repos="ACE-Step/ACE-Step-v1-3.5B", license=_APACHE),
    row(
        "ace-step-1.5",
        "ACE-Step 1.5",
        "ace-step",
        repos="ACE-Step/Ace-Step1.5 ACE-Step/acestep-v15-base",
        also="ACE-Step/acestep-v15-sft ACE-Step/acestep-v15-turbo ACE-Step/acestep-v15-turbo-diffusers",
        license="MIT",
    ),
    row(
        "ace-step-1.5-xl",
        "ACE-Step 1.5 XL",
        "ace-step",
        repos="ACE-Step/acestep-v15-xl-base",
        also="ACE-Step/acestep-v15-xl-turbo ACE-Step/acestep-v15-xl-turbo-diffusers ACE-Step/acestep-v15-xl-sft",
        license="MIT",
    ),
    row(
        "audioldm-2",
        "AudioLDM 2",
        "audioldm2",
        repos="cvssp/audioldm2",
        also="cvssp/audioldm2-large cvssp/audioldm2-music anhnct/audioldm2_gigaspeech anhnct/audioldm2_ljspeech",
    ),
    row("longcat-audio", "LongCat-AudioDiT", "longcat-audio", repos="meituan-longcat/LongCat-AudioDiT-1B"),
    row("minimax-music-3", "MiniMax Music 3", "minimax-music3", repos="MiniMaxAI/MiniMax-Music3"),
    row(
        "stable-audio",
        "Stable Audio Open",
        "stable-audio",
        repos="stabilityai/stable-audio-open-1.0",
        license=_STABILITY,
    ),
    row(
        "stable-audio-3",
        "Stable Audio 3",
        "stable-audio-3",
        repos="stabilityai/stable-audio-3-medium",
        also="stabilityai/stable-audio-3-medium-base",
        license=_STABILITY,
    ),
)
