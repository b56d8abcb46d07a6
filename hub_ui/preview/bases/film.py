"""Base models that draw films, as rows like those of image.py, which says where the figures are from.

Clips are short here: what a LoRA does shows in two seconds, and every frame costs as much as a picture. Wan, Wan's
text encoder, HunyuanVideo 1.5 and LTX-Video's T5 are stored at full precision, so that memory is less than the files.
Bases that need a first frame (image to video) have no row; LoRAs for them go on the text-to-video base of their kind,
and the coverage report names the layers that only the other one has.
"""

from __future__ import annotations

from hub_ui.preview.bases.base_choice import BaseChoice, Film, base

_WAN = "Wan-AI"
_WAN_CLIP = Film(frames=33, fps=16)
_HUNYUAN = "hunyuanvideo-community"
_HUNYUAN_LICENSE = "Tencent Hunyuan Community License Agreement"

FILM_BASES: tuple[BaseChoice, ...] = (
    base(
        "wan-2.1-t2v-14b", "Wan 2.1 14B", "wan", f"{_WAN}/Wan2.1-T2V-14B-Diffusers", "WanPipeline",
        steps=30, guidance=5.0, size=(832, 480), gigabytes=80.0, memory=47.0, film=_WAN_CLIP,
        revision="38ec498cb3208fb688890f8cc7e94ede2cbd7f68", alternatives="wan-2.1-t2v-1.3b wan-2.2-t2v-a14b",
    ),
    base(
        "wan-2.1-t2v-1.3b", "Wan 2.1 1.3B", "wan", f"{_WAN}/Wan2.1-T2V-1.3B-Diffusers", "WanPipeline",
        steps=30, guidance=5.0, size=(832, 480), gigabytes=28.9, memory=17.0, film=_WAN_CLIP,
        revision="0fad780a534b6463e45facd96134c9f345acfa5b", alternatives="wan-2.1-t2v-14b",
    ),
    base(
        "wan-2.2-ti2v-5b", "Wan 2.2 5B", "wan", f"{_WAN}/Wan2.2-TI2V-5B-Diffusers", "WanPipeline",
        steps=30, guidance=5.0, size=(832, 480), gigabytes=34.0, memory=27.0, film=Film(frames=49, fps=24),
        revision="b8fff7315c768468a5333511427288870b2e9635",
    ),
    base(
        "wan-2.2-t2v-a14b", "Wan 2.2 A14B", "wan", f"{_WAN}/Wan2.2-T2V-A14B-Diffusers", "WanPipeline",
        steps=30, guidance=4.0, size=(832, 480), gigabytes=126.0, memory=80.0, film=_WAN_CLIP,
        revision="5be7df9619b54f4e2667b2755bc6a756675b5cd7", alternatives="wan-2.1-t2v-14b",
    ),
    base(
        "ltx-video", "LTX-Video", "ltx-video", "Lightricks/LTX-Video", "LTXPipeline",
        steps=30, guidance=3.0, size=(704, 480), gigabytes=28.0, memory=17.0, film=Film(frames=49, fps=24),
        revision="8984fa25007f376c1a299016d0957a37a2f797bb",
    ),
    base(
        "ltx-2", "LTX-2", "ltx-video-2", "Lightricks/LTX-2", "LTX2Pipeline",
        steps=40, guidance=4.0, size=(768, 512), gigabytes=92.0, memory=75.0, film=Film(frames=49, fps=24),
        revision="47da56e2ad66ce4125a9922b4a8826bf407f9d0a",
    ),
    base(
        "hunyuan-video", "HunyuanVideo", "hunyuan-video", f"{_HUNYUAN}/HunyuanVideo", "HunyuanVideoPipeline",
        steps=30, guidance=6.0, size=(832, 480), gigabytes=42.0, film=Film(frames=33, fps=15),
        revision="e8c2aaa66fe3742a32c11a6766aecbf07c56e773",
    ),
    base(
        "hunyuan-video-1.5", "HunyuanVideo 1.5", "hunyuan-video-1.5",
        f"{_HUNYUAN}/HunyuanVideo-1.5-Diffusers-480p_t2v", "HunyuanVideo15Pipeline",
        steps=30, guidance=6.0, size=(832, 480), gigabytes=68.0, memory=41.0, license=_HUNYUAN_LICENSE,
        film=Film(frames=33, fps=24), revision="286be7ce72277246578a3e3cc2487e95ddae5bcf",
    ),
    base(
        "cogvideox", "CogVideoX 5B", "cogvideox", "zai-org/CogVideoX-5b", "CogVideoXPipeline",
        steps=50, guidance=6.0, size=(720, 480), gigabytes=21.1, film=Film(frames=49, fps=8),
        revision="8fc5b281006c82b82d34fd2543d2f0ebb4e7e321", alternatives="cogvideox-2b",
    ),
    base(
        "cogvideox-2b", "CogVideoX 2B", "cogvideox", "zai-org/CogVideoX-2b", "CogVideoXPipeline",
        lineage="cogvideox", steps=50, guidance=6.0, size=(720, 480), gigabytes=13.4, dtype="float16",
        license="Apache 2.0", film=Film(frames=49, fps=8), revision="1137dacfc2c9c012bed6a0793f4ecf2ca8e7ba01",
        alternatives="cogvideox",
    ),
    base(
        "mochi", "Mochi 1", "mochi", "genmo/mochi-1-preview", "MochiPipeline",
        steps=50, guidance=4.5, size=(848, 480), gigabytes=31.0, film=Film(frames=31, fps=30),
        revision="14be5fcea23095ed330cb214647916a451e38b6e",
    ),
)  # fmt: skip
