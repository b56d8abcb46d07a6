"""The table of base models: video, sound, 3D, and services without published weights."""

from __future__ import annotations

from connectors.claims.base_model import APACHE, STABILITY, BaseModel, row

_LTX = "LTX Video License"
_SVD = "Stable Video Diffusion Community License"
_TONGYI = "Alibaba Wan / Tongyi Wanxiang Terms of Service"

OTHER_MODELS: tuple[BaseModel, ...] = (
    row(
        "cogvideox",
        "CogVideoX",
        "cogvideox",
        civitai="CogVideoX",
        repos="THUDM/CogVideoX-5b THUDM/CogVideoX-2b THUDM/CogVideoX1.5-5B zai-org/CogVideoX-5b",
        also="THUDM/CogVideoX-5b-I2V THUDM/CogVideoX1.5-5B-I2V zai-org/CogVideoX-5b-I2V zai-org/CogVideoX1.5-5B-I2V "
        "BestWishYsh/ConsisID-preview alibaba-pai/CogVideoX-Fun-V1.1-5b-Pose",
        aliases="cogvideo",
        license="CogVideoX License",
    ),
    row(
        "hunyuan-video",
        "HunyuanVideo",
        "hunyuan-video",
        civitai="Hunyuan Video",
        repos="tencent/HunyuanVideo hunyuanvideo-community/HunyuanVideo tencent/HunyuanVideo-I2V "
        "hunyuanvideo-community/HunyuanVideo-I2V lllyasviel/FramePackI2V_HY",
        also="lllyasviel/FramePack_F1_I2V_HY_20250503 Kijai/HunyuanVideo_comfy "
        "kohya-ss/HunyuanVideo-fp8_e4m3fn-unofficial Skywork/SkyReels-V1-Hunyuan-I2V Skywork/SkyReels-V1-Hunyuan-T2V "
        "Kijai/SkyReels-V1-Hunyuan_comfy hunyuanvideo-community/HunyuanVideo-I2V-33ch",
        aliases="hunyuan, hyv",
        license="Tencent Hunyuan Video License Agreement",
    ),
    row(
        "hunyuan-video-1.5",
        "HunyuanVideo 1.5",
        "hunyuan-video-1.5",
        repos="tencent/HunyuanVideo-1.5",
        also="hunyuanvideo-community/HunyuanVideo-1.5-480p_i2v hunyuanvideo-community/HunyuanVideo-1.5-480p_t2v "
        "hunyuanvideo-community/HunyuanVideo-1.5-720p_i2v hunyuanvideo-community/HunyuanVideo-1.5-720p_t2v "
        "hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-480p_t2v "
        "hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-720p_t2v "
        "hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-480p_i2v "
        "hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-720p_i2v "
        "hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-480p_t2v_distilled "
        "hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-480p_i2v_distilled "
        "hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-720p_i2v_distilled",
    ),
    row(
        "ltx-video",
        "LTX-Video",
        "ltx-video",
        civitai="LTXV",
        repos="Lightricks/LTX-Video Lightricks/LTX-Video-0.9.5 Lightricks/LTX-Video-0.9.7-dev "
        "Lightricks/LTX-Video-0.9.7-distilled Lightricks/LTX-Video-0.9.8-13B-distilled",
        also="Lightricks/LTX-Video-0.9.1 diffusers/LTX-Video-0.9.0 diffusers/LTX-Video-0.9.1 "
        "a-r-r-o-w/LTX-Video-0.9.1-diffusers Lightricks/LTX-Video-0.9.8-dev",
        aliases="ltx, ltxv 0.9",
        license=_LTX,
    ),
    row(
        "ltx-2",
        "LTX-2",
        "ltx-video-2",
        civitai="LTXV2",
        repos="Lightricks/LTX-2",
        also="rootonchair/LTX-2-19b-distilled Lightricks/LTX-2-19b-distilled",
        license=_LTX,
    ),
    row(
        "ltx-2.3",
        "LTX-2.3",
        "ltx-video-2",
        civitai="LTXV 2.3",
        repos="Lightricks/LTX-2.3",
        also="diffusers/LTX-2.3-Distilled-Diffusers",
        license="LTX-2 Community License Agreement",
    ),
    row("ltx-2.5", "LTX-2.5", "ltx-video-2", repos="Lightricks/LTX-2.5", license="LTX-2 Community License Agreement"),
    row(
        "mochi",
        "Mochi",
        "mochi",
        civitai="Mochi",
        repos="genmo/mochi-1-preview",
        also="Comfy-Org/mochi_preview_repackaged",
        aliases="mochi 1",
        license=APACHE,
    ),
    row(
        "minimax-h3",
        "MiniMax H3",
        "minimax-h3",
        civitai="MiniMax H3",
        repos="MiniMaxAI/MiniMax-H3",
        also="Kijai/MiniMax-H3-experimental joyfox/MiniMax-H3-Turbo lightx2v/Minimax-h3-Turbo "
        "rzgar/minimax_h3_fl2va_fp8_e4m3fn Abiray/Minimax-H3-nvfp4-INT4-INT8-Convrot",
        license="MiniMax Hailuo AI Terms of Service",
    ),
    row("svd", "SVD", "svd", civitai="SVD", repos="stabilityai/stable-video-diffusion-img2vid", license=_SVD),
    row(
        "svd-xt", "SVD XT", "svd", civitai="SVD XT", repos="stabilityai/stable-video-diffusion-img2vid-xt", license=_SVD
    ),
    # Wan
    row(
        "wan",
        "Wan Video",
        "wan",
        civitai="Wan Video",
        repos="Wan-AI/Wan2.1-VACE-14B Wan-AI/Wan2.1-VACE-1.3B Wan-AI/Wan2.1-FLF2V-14B-720P Wan-AI/Wan2.2-S2V-14B "
        "Wan-AI/Wan2.2-Animate-14B alibaba-pai/Wan2.1-Fun-14B-Control alibaba-pai/Wan2.2-Fun-A14B-InP",
        also="Wan-AI/Wan2.2-Animate-2-14B-Diffusers Kijai/WanVideo_comfy QuantStack/Wan2.1_14B_VACE-GGUF "
        "alibaba-pai/Wan2.2-VACE-Fun-A14B MeiGen-AI/InfiniteTalk nvidia/ChronoEdit-14B-Diffusers "
        "krea/krea-realtime-video aidealab/AnimeGen-T2V Skywork/SkyReels-V2-DF-1.3B-540P "
        "Skywork/SkyReels-V2-DF-1.3B-540P-Diffusers Skywork/SkyReels-V2-DF-1.3B-720P-Diffusers "
        "Skywork/SkyReels-V2-DF-14B-540P Skywork/SkyReels-V2-DF-14B-540P-Diffusers Skywork/SkyReels-V2-DF-14B-720P "
        "Skywork/SkyReels-V2-DF-14B-720P-Diffusers Skywork/SkyReels-V2-I2V-1.3B-540P "
        "Skywork/SkyReels-V2-I2V-1.3B-540P-Diffusers Skywork/SkyReels-V2-I2V-14B-540P "
        "Skywork/SkyReels-V2-I2V-14B-540P-Diffusers Skywork/SkyReels-V2-I2V-14B-720P "
        "Skywork/SkyReels-V2-I2V-14B-720P-Diffusers Skywork/SkyReels-V2-T2V-14B-540P "
        "Skywork/SkyReels-V2-T2V-14B-540P-Diffusers Skywork/SkyReels-V2-T2V-14B-720P "
        "Skywork/SkyReels-V2-T2V-14B-720P-Diffusers nvidia/AnyFlow-Wan2.1-T2V-1.3B-Diffusers "
        "nvidia/AnyFlow-Wan2.1-T2V-14B-Diffusers nvidia/AnyFlow-FAR-Wan2.1-1.3B-Diffusers "
        "nvidia/AnyFlow-FAR-Wan2.1-14B-Diffusers BestWishYsh/Helios-Base BestWishYsh/Helios-Mid "
        "BestWishYsh/Helios-Distilled",
        aliases="wan21, wan video 2.1, wan22",
        license=APACHE,
    ),
    row(
        "wan-2.1-t2v-1.3b",
        "Wan 2.1 T2V 1.3B",
        "wan",
        civitai="Wan Video 1.3B t2v",
        repos="Wan-AI/Wan2.1-T2V-1.3B Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
        also="StevenZhang/Wan2.1-T2V-1.3B-Diff",
        license=APACHE,
    ),
    row(
        "wan-2.1-t2v-14b",
        "Wan 2.1 T2V 14B",
        "wan",
        civitai="Wan Video 14B t2v",
        repos="Wan-AI/Wan2.1-T2V-14B Wan-AI/Wan2.1-T2V-14B-Diffusers",
        also="StevenZhang/Wan2.1-T2V-14B-Diff",
        license=APACHE,
    ),
    row(
        "wan-2.1-i2v-14b-480p",
        "Wan 2.1 I2V 14B 480p",
        "wan",
        civitai="Wan Video 14B i2v 480p",
        repos="Wan-AI/Wan2.1-I2V-14B-480P Wan-AI/Wan2.1-I2V-14B-480P-Diffusers",
        also="StevenZhang/Wan2.1-I2V-14B-480P-Diff",
        license=APACHE,
    ),
    row(
        "wan-2.1-i2v-14b-720p",
        "Wan 2.1 I2V 14B 720p",
        "wan",
        civitai="Wan Video 14B i2v 720p",
        repos="Wan-AI/Wan2.1-I2V-14B-720P Wan-AI/Wan2.1-I2V-14B-720P-Diffusers",
        also="StevenZhang/Wan2.1-I2V-14B-720P-Diff",
        license=APACHE,
    ),
    row(
        "wan-2.2-ti2v-5b",
        "Wan 2.2 TI2V 5B",
        "wan",
        civitai="Wan Video 2.2 TI2V-5B",
        repos="Wan-AI/Wan2.2-TI2V-5B Wan-AI/Wan2.2-TI2V-5B-Diffusers",
        also="decart-ai/Lucy-Edit-Dev decart-ai/Lucy-Edit-1.1-Dev FastVideo/FastWan2.2-TI2V-5B-FullAttn-Diffusers",
        license=APACHE,
    ),
    row(
        "wan-2.2-i2v-a14b",
        "Wan 2.2 I2V A14B",
        "wan",
        civitai="Wan Video 2.2 I2V-A14B",
        repos="Wan-AI/Wan2.2-I2V-A14B Wan-AI/Wan2.2-I2V-A14B-Diffusers",
        also="Wan-AI/Wan2.2-I2V-14B-Diffusers",
        license=APACHE,
    ),
    row(
        "wan-2.2-t2v-a14b",
        "Wan 2.2 T2V A14B",
        "wan",
        civitai="Wan Video 2.2 T2V-A14B",
        repos="Wan-AI/Wan2.2-T2V-A14B Wan-AI/Wan2.2-T2V-A14B-Diffusers",
        license=APACHE,
    ),
    # Networks for videos beyond CivitAI's list
    row("allegro", "Allegro", "allegro", repos="rhymes-ai/Allegro", license=APACHE),
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
    row("ace-step", "ACE-Step", "ace-step", civitai="ACE Audio", repos="ACE-Step/ACE-Step-v1-3.5B", license=APACHE),
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
        license=STABILITY,
    ),
    row(
        "stable-audio-3",
        "Stable Audio 3",
        "stable-audio-3",
        repos="stabilityai/stable-audio-3-medium",
        also="stabilityai/stable-audio-3-medium-base",
        license=STABILITY,
    ),
    # 3D
    row("hunyuan3d", "Hunyuan3D", "hunyuan3d", civitai="Hunyuan3D", repos="tencent/Hunyuan3D-2"),
    # Services: CivitAI lists them, but no weights are published, so nothing can be downloaded for them.
    row("flux-3-video", "FLUX.3 Video", civitai="Flux 3 Video", license="Black Forest Labs Terms of Service"),
    row("grok", "Grok", civitai="Grok", license="Grok"),
    row("happyhorse", "HappyHorse", civitai="HappyHorse", license="HappyHorse"),
    row("imagen4", "Imagen 4", civitai="Imagen4", license="Imagen4"),
    row("kling", "Kling", civitai="Kling", license="Kuaishou Kling AI Terms of Service"),
    row("mai", "MAI", civitai="MAI", license="Microsoft AI Terms of Use"),
    row("nano-banana", "Nano Banana", civitai="Nano Banana", license="Imagen4"),
    row("odor", "ODOR", civitai="ODOR"),
    row("openai", "OpenAI", civitai="OpenAI", license="OpenAI"),
    row("polygen", "PolyGen", civitai="PolyGen"),
    row("reve", "Reve", civitai="Reve", license="Reve AI Terms of Service"),
    row("seedance", "Seedance", civitai="Seedance", license="Seedream"),
    row("seedream", "Seedream", civitai="Seedream", license="Seedream"),
    row("sora-2", "Sora 2", civitai="Sora 2", license="OpenAI"),
    row("tripo", "Tripo", civitai="Tripo"),
    row("veo-3", "Veo 3", civitai="Veo 3", license="Veo 3"),
    row("vidu-q1", "Vidu Q1", civitai="Vidu Q1", license="ShengShu Vidu Terms of Service"),
    row("wan-2.5-t2v", "Wan 2.5 T2V", civitai="Wan Video 2.5 T2V", license=_TONGYI),
    row("wan-2.5-i2v", "Wan 2.5 I2V", civitai="Wan Video 2.5 I2V", license=_TONGYI),
    row("wan-2.7", "Wan 2.7", civitai="Wan Video 2.7", license=_TONGYI),
    row("wan-image-2.7", "Wan Image 2.7", civitai="Wan Image 2.7", license=_TONGYI),
    # No base model at all: what authors choose when theirs isn't listed, and post-processing.
    row("other", "Other", civitai="Other"),
    row("upscaler", "Upscaler", civitai="Upscaler"),
)
