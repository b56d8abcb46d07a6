"""Hugging Face's unusual samples: gated, deleted, duplicate, mislabelled or not for images."""

from hub_ui.demo.build.samples.recipes import flux_diffusers, qwen_diffusers, sd1_kohya, sdxl_diffusers
from hub_ui.demo.build.samples.sample import File, Picture, R, Release, Sample, Text, Weights
from hub_ui.demo.build.samples.tables.civitai import ODILE
from hub_ui.demo.build.samples.tables.huggingface import FLUX_DEV, FLUX_LICENCE, SDXL_BASE

LOKR = Weights(
    network="sdxl", layout="kohya", rank=8, alpha=4, algorithm="lokr", dtype="F16", words=("aftrmdnght",), seed=92
)
RECIPES = Weights(network="qwen3 text", layout="peft", rank=8, seed=93)

SAMPLES: tuple[Sample, ...] = (
    Sample(
        hub="huggingface",
        name="hollowpine/court-astronomer",
        title="The Court Astronomer",
        base=FLUX_DEV,
        kind="character",
        tags=("character", "original-character"),
        licence="other",
        downloads=3_870,
        likes=412,
        about="Counts stars for a king who cannot. Please say what you need him for; access is granted by hand.",
        releases=(
            Release(
                name="main",
                days=29,
                words=("crtstrnmr man",),
                weight=0.95,
                files=(
                    File(
                        name="court_astronomer.safetensors",
                        content=flux_diffusers(8, seed=91, alpha=8),
                        access="gated",
                    ),
                ),
                pictures=(
                    Picture(name="astronomer-night-1", prompt="crtstrnmr man, night blue coat, plain ground"),
                    Picture(name="planets-night-2", prompt="crtstrnmr man's chart of the heavens"),
                ),
            ),
        ),
        quirks={"gated": "manual", "cardData": FLUX_LICENCE},
    ),
    Sample(
        hub="huggingface",
        name="mirelune/captain-odile-illustrious",
        title="Captain Odile",
        base="OnomaAIResearch/Illustrious-XL-v1.0",
        kind="character",
        tags=("character", "anime"),
        licence="other",
        downloads=1_655,
        likes=64,
        # The same bytes as on CivitAI.
        about="Mirror of the CivitAI upload, for those who would rather pull it from here.",
        releases=(
            Release(
                name="main",
                days=43,
                words=("odile", "navy peacoat", "brass whistle", "silver braid"),
                weight=0.9,
                files=(File(name="captain_odile_il.safetensors", content=ODILE),),
                pictures=(
                    Picture(name="odile-lagoon-1", prompt="odile, navy peacoat, smile, harbour at dusk"),
                    Picture(name="odile-dusk-2", prompt="odile, silver braid, looking at viewer"),
                ),
            ),
        ),
        quirks={"cardData": {"license_name": "fair-ai-public-license-1.0-sd"}},
    ),
    Sample(
        hub="huggingface",
        name="eveninglamp/after-midnight-xl",
        title="After Midnight",
        base=SDXL_BASE,
        kind="style",
        tags=("style", "not-for-all-audiences"),
        licence="openrail++",
        downloads=9_112,
        likes=301,
        about="Lamp light and long gloves. Marked for adults; the pictures on this page are only colours.",
        releases=(
            Release(
                name="main",
                days=66,
                words=("aftrmdnght",),
                weight=0.6,
                files=(File(name="after_midnight_lokr.safetensors", content=LOKR),),
                pictures=(
                    Picture(name="velvet-dusk-3", prompt="aftrmdnght, a curtain and what is behind it", level=R),
                    Picture(name="velvet-rose-4", prompt="aftrmdnght, pink lamp", level=R),
                ),
            ),
        ),
    ),
    Sample(
        hub="huggingface",
        name="depthworks/qwen-image-depth-lora",
        title="Depth for Qwen-Image",
        base="Qwen/Qwen-Image",
        kind="control",
        tags=("control-lora", "depth-map", "image-to-image"),
        licence="apache-2.0",
        downloads=2_744,
        likes=119,
        about="In-context control: the depth map goes in as a second picture. Light is near, dark is far.",
        releases=(
            Release(
                name="main",
                days=82,
                words=("Context_Control. Depth",),
                files=(File(name="qwen_image_depth.safetensors", content=qwen_diffusers(4, seed=94)),),
                pictures=(
                    Picture(name="depth-meadow-1", prompt="(the depth map) trunks in fog"),
                    Picture(name="forest-tangerine-1", prompt="Context_Control. Depth. trunks in fog, orange dawn"),
                    Picture(name="pose-citrus-1", prompt="(the pose) for the sister model"),
                ),
            ),
        ),
    ),
    Sample(
        hub="huggingface",
        name="weatherstation/isobar-maps",
        title="Isobar Maps",
        base=SDXL_BASE,
        kind="style",
        tags=("maps", "style"),
        licence="cc-by-4.0",
        downloads=804,
        likes=22,
        about="Weather maps from nowhere. There is no trigger word: it draws isobars whatever you ask.",
        releases=(
            Release(
                name="main",
                days=210,
                files=(File(name="isobar_maps.safetensors", content=sdxl_diffusers(4, seed=95)),),
                pictures=(
                    Picture(name="contours-moss-2", prompt="-"),
                    Picture(name="contours-frost-4", prompt="-"),
                ),
            ),
        ),
        quirks={"cardData": {"instance_prompt": None}},
    ),
    Sample(
        hub="huggingface",
        name="attic-finds/old-loras",
        title="old-loras",
        base="",
        kind=None,
        card="bare",
        tags=(),
        licence="",
        downloads=61,
        likes=2,
        about=(
            "Found these on an old disk. No idea what they were trained on. <script>document.title='owned'</script>"
            "<img src=x onerror=\"document.title='owned'\">"
        ),
        releases=(
            Release(
                name="main",
                days=402,
                files=(
                    File(name="final_final2.safetensors", content=sd1_kohya(8, "brwnhouse", seed=96)),
                    File(name="notes.txt", content=Text(text="brwnhouse, brown house at the canal, 0.7 or so\n")),
                ),
                pictures=(Picture(name="town-sand-4", prompt="-"),),
            ),
        ),
    ),
    Sample(
        hub="huggingface",
        name="plainspoken/recipe-rewriter-lora",
        title="Recipe Rewriter",
        base="Qwen/Qwen3-0.6B",
        kind=None,
        card="bare",
        tags=("peft", "recipes"),
        licence="apache-2.0",
        downloads=3_120,
        likes=57,
        about="Rewrites recipes for the number of people who actually came. A LoRA, but for a language model.",
        releases=(
            Release(
                name="main",
                days=38,
                files=(
                    File(name="adapter_model.safetensors", content=RECIPES),
                    File(name="adapter_config.json", content=Text(text='{"peft_type": "LORA", "r": 8}\n')),
                ),
            ),
        ),
        quirks={"library_name": "peft", "pipeline_tag": "text-generation"},
    ),
    Sample(
        hub="huggingface",
        name="driftwire/lost-kite",
        title="Lost Kite",
        base=FLUX_DEV,
        kind="concept",
        tags=("concept", "sky"),
        licence="other",
        downloads=930,
        likes=31,
        about="A kite that got away.",
        releases=(
            Release(
                name="main",
                days=90,
                words=("lstkt",),
                files=(File(name="lost_kite.safetensors", content=flux_diffusers(4, seed=97)),),
                pictures=(Picture(name="balloons-frost-4", prompt="lstkt, a kite over white hills"),),
            ),
        ),
        deleted=True,
        quirks={"cardData": FLUX_LICENCE},
    ),
)
