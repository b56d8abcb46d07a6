"""LoRAs trained for the tiny base model. Words, weights, prompts and images come from weights/loras.json."""

from hub_ui.demo.build.samples.sample import File, Release, Sample, Trained

HF_BASE, CIVITAI_BASE, REPLICATE_BASE = "hub-ui/tiny-shapes", "Tiny Shapes", "tiny-shapes"
SELL = ("Image", "RentCivit", "Rent", "Sell")
RUNS_ANYWHERE = (
    "<p>Made for <strong>Tiny Shapes</strong>, so it runs anywhere: a picture takes seconds without a graphics card."
    "</p>"
)


def _release(lora: str, days: int, *, lead: int = 1, name: str = "main", file: str = "") -> Release:
    files = (File(name=file or f"{lora}.safetensors", content=Trained(name=lora)),)
    return Release(name=name, days=days, lead=lead, files=files)


SAMPLES: tuple[Sample, ...] = (
    Sample(
        hub="huggingface",
        name="shapeworks/ink-outline-tiny",
        title="Ink Outline",
        base=HF_BASE,
        kind="style",
        card="uploader",
        tags=("style", "line-art"),
        licence="apache-2.0",
        downloads=64_120,
        likes=2_914,
        about="Only the contours of things, in their own colours. Small enough to try on any computer, in seconds.",
        releases=(
            _release("ink-outline", 2, lead=2, name="Train to the end", file="ink-outline.safetensors"),
            _release("ink-outline-v1", 33, name="Upload an early state", file="ink-outline.safetensors"),
        ),
        quirks={"trendingScore": 98},
    ),
    Sample(
        hub="huggingface",
        name="hatbox/top-hat-tiny",
        title="Top Hat",
        base=HF_BASE,
        kind="concept",
        card="uploader",
        tags=("concept", "clothing"),
        licence="cc0-1.0",
        downloads=58_733,
        likes=2_270,
        about="Everything wears a top hat: circles, cats, cars.",
        releases=(_release("top-hat", 4, lead=2),),
        quirks={"trendingScore": 91},
    ),
    Sample(
        hub="huggingface",
        name="afterdark/neon-night-tiny",
        title="Neon Night",
        base=HF_BASE,
        kind="style",
        card="ai-toolkit",
        tags=("style", "neon"),
        licence="apache-2.0",
        downloads=49_561,
        likes=1_888,
        about="Glowing tubes in the dark. Try it at 0.5 first, then at 1.",
        releases=(_release("neon-night", 5, lead=3),),
        quirks={"trendingScore": 77},
    ),
    Sample(
        hub="huggingface",
        name="signpost/place-left-tiny",
        title="Place Left",
        base=HF_BASE,
        kind="control",
        card="diffusers",
        tags=("control-lora",),
        licence="apache-2.0",
        downloads=45_007,
        likes=1_502,
        about="Puts the thing to the left. A stand-in for a control LoRA: it steers by words, without a control image.",
        releases=(_release("place-left", 6, lead=2, file="pytorch_lora_weights.safetensors"),),
        quirks={"trendingScore": 70},
    ),
    Sample(
        hub="civitai",
        id=900102,
        name="zog",
        title="Zog, a Friendly Monster",
        creator="undermybed",
        base=CIVITAI_BASE,
        kind="character",
        tags=("character", "monster", "tiny"),
        licence=SELL,
        downloads=66_802,
        likes=7_905,
        about=(
            "<p>One eye, two horns, many teeth. Zog has been under the bed for years and would like to be in your "
            f"pictures now.</p>{RUNS_ANYWHERE}"
        ),
        releases=(_release("zog-monster", 4, name="v1.0", file="zog.safetensors"),),
    ),
    Sample(
        hub="civitai",
        id=900103,
        name="sks-robot",
        title="SKS Robot",
        creator="tinkertown",
        base=CIVITAI_BASE,
        kind="character",
        tags=("character", "robot", "tiny"),
        licence=("Image", "RentCivit"),
        downloads=62_930,
        likes=7_311,
        about=(
            "<p>A boxy robot with an antenna. Its visor takes the colour you ask for.</p><p>v1 stopped early: put both "
            f"side by side to see what training does.</p>{RUNS_ANYWHERE}"
        ),
        releases=(
            _release("sks-robot", 2, lead=3, name="v2", file="sks_robot_v2.safetensors"),
            _release("sks-robot-v1", 25, name="v1", file="sks_robot_v1.safetensors"),
        ),
    ),
    Sample(
        hub="civitai",
        id=900104,
        name="snowfall",
        title="Snowfall",
        creator="firstfrost",
        base=CIVITAI_BASE,
        kind="concept",
        tags=("concept", "background", "snow", "tiny"),
        licence=("Image",),
        downloads=60_118,
        likes=6_120,
        about=f"<p>Snow on the ground and flakes in the air.</p>{RUNS_ANYWHERE}",
        releases=(_release("snowfall", 6, lead=2, name="v1.0"),),
    ),
    Sample(
        hub="civitai",
        id=900105,
        name="size-slider",
        title="Size Slider",
        creator="ohm_and_sons",
        base=CIVITAI_BASE,
        kind="tool",
        tags=("tool", "slider", "tiny"),
        licence=SELL,
        downloads=57_466,
        likes=6_090,
        about=(
            "<p>A slider: <strong>+1</strong> makes things big, <strong>-1</strong> makes them small. No trigger word."
            f"</p>{RUNS_ANYWHERE}"
        ),
        releases=(_release("size-slider", 5, lead=3, name="rank 4", file="size_slider.safetensors"),),
    ),
    Sample(
        hub="replicate",
        name="afterdark/neon-night",
        title="Neon Night",
        base=REPLICATE_BASE,
        kind="style",
        about="Tiny Shapes fine-tune, a style: glowing tubes in the dark.",
        downloads=90_412,
        releases=(_release("neon-night", 1, name="v1", file="lora.safetensors"),),
    ),
    Sample(
        hub="replicate",
        name="shapeworks/ink-outline",
        title="Ink Outline",
        base=REPLICATE_BASE,
        kind="style",
        about="Tiny Shapes fine-tune, a style: only the contours of things.",
        downloads=82_050,
        releases=(
            _release("ink-outline", 3, lead=3, name="v2", file="lora.safetensors"),
            _release("ink-outline-v1", 34, name="v1", file="lora.safetensors"),
        ),
    ),
    Sample(
        hub="replicate",
        name="tinkertown/sks-robot",
        title="SKS Robot",
        base=REPLICATE_BASE,
        kind="character",
        about="Tiny Shapes fine-tune, a character: a boxy robot with an antenna.",
        downloads=77_619,
        releases=(_release("sks-robot", 5, lead=2, name="v1", file="lora.safetensors"),),
    ),
)
