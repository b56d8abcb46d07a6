"""Hugging Face's samples: cards as the common tools write them, and one repository with a dozen files."""

from hub_ui.demo.build.samples.recipes import (
    flux_ai_toolkit,
    flux_control,
    flux_diffusers,
    qwen_diffusers,
    sdxl_diffusers,
    wan_kohya,
    z_image_ai_toolkit,
)
from hub_ui.demo.build.samples.sample import File, Picture, Release, Sample, Weights

FLUX_DEV = "black-forest-labs/FLUX.1-dev"
SDXL_BASE = "stabilityai/stable-diffusion-xl-base-1.0"
FLUX_LICENCE = {"license_name": "flux-1-dev-non-commercial-license"}
QUARRY = Weights(network="sd3.5 large", layout="kohya", rank=4, alpha=4, dtype="F16", words=("qrry light",), seed=77)

# One LoRA a file: together they fill a shelf. The file's name is its trigger word; beside it, its picture.
SHELF = {
    "teapot": "teapot-lagoon-1",
    "brass-key": "key-slate-1",
    "paper-boat": "boat-frost-1",
    "snow-globe": "globe-jade-1",
    "matchbox": "matches-rose-1",
    "wool-sock": "sock-citrus-1",
    "pocket-watch": "watch-plum-1",
    "jam-jar": "jar-tangerine-1",
    "toy-tram": "tram-meadow-1",
    "fountain-pen": "pen-sand-1",
    "sea-shell": "shell-lilac-1",
    "candle-stub": "candle-night-1",
}

SAMPLES: tuple[Sample, ...] = (
    Sample(
        hub="huggingface",
        name="alderwick/kelp-forest-flux-lora",
        title="Kelp Forest",
        base=FLUX_DEV,
        kind="style",
        card="diffusers",
        tags=("style", "underwater"),
        licence="other",
        downloads=12_412,
        likes=388,
        about="Underwater light through tall, slow shapes. Trained on forty of my own screen prints.",
        releases=(
            Release(
                name="main",
                days=23,
                words=("klpfrst",),
                weight=0.9,
                files=(File(name="pytorch_lora_weights.safetensors", content=flux_diffusers(16, seed=71)),),
                pictures=(
                    Picture(name="forest-jade-3", prompt="klpfrst, tall kelp, a pale sun above"),
                    Picture(name="pond-lagoon-2", prompt="klpfrst, fish between leaves, seen from above"),
                    Picture(name="bubbles-lagoon-3", prompt="klpfrst, rising air, teal water"),
                ),
            ),
        ),
        quirks={"cardData": FLUX_LICENCE},
    ),
    Sample(
        hub="huggingface",
        name="tinroof/pocket-shelf",
        title="Pocket Shelf",
        base="Tongyi-MAI/Z-Image-Turbo",
        kind="concept",
        card="shelf",
        tags=("concept", "z-image", "objects"),
        licence="apache-2.0",
        downloads=6_230,
        likes=141,
        about="A dozen small things, one LoRA each. The file's name is its trigger word.",
        releases=(
            Release(
                name="main",
                days=12,
                files=tuple(
                    File(name=f"{thing}.safetensors", content=z_image_ai_toolkit(2, thing, seed=200 + number))
                    for number, thing in enumerate(SHELF)
                ),
                pictures=tuple(
                    Picture(name=picture, prompt=f"a {thing} on a shelf") for thing, picture in SHELF.items()
                ),
            ),
        ),
    ),
    Sample(
        hub="huggingface",
        name="sundayprint/risograph-weekend",
        title="Risograph Weekend",
        base=SDXL_BASE,
        kind="style",
        card="diffusers",
        tags=("style", "risograph", "print"),
        licence="openrail++",
        downloads=19_856,
        likes=612,
        about="Two or three flat inks, slightly out of register. The second commit doubled the rank.",
        releases=(
            Release(
                name="Train again at rank 8",
                days=31,
                words=("in the style of RSGRPH",),
                weight=0.8,
                files=(File(name="pytorch_lora_weights.safetensors", content=sdxl_diffusers(8, seed=73, alpha=8)),),
                pictures=(
                    Picture(name="quilt-mono-2", prompt="quarter circles, in the style of RSGRPH"),
                    Picture(name="quilt-dusk-1", prompt="a quilt, warm inks, in the style of RSGRPH"),
                    Picture(name="balloons-citrus-3", prompt="balloons over fields, in the style of RSGRPH"),
                    Picture(name="bars-slate-1", prompt="reeds, in the style of RSGRPH"),
                    Picture(name="confetti-rose-2", prompt="chips of stone, in the style of RSGRPH"),
                ),
            ),
            Release(
                name="Upload LoRA weights",
                days=160,
                words=("RSGRPH",),
                files=(File(name="pytorch_lora_weights.safetensors", content=sdxl_diffusers(4, seed=74)),),
                pictures=(Picture(name="quilt-mono-2", prompt="quarter circles, RSGRPH"),),
            ),
        ),
    ),
    Sample(
        hub="huggingface",
        name="mossandmortar/ruin-and-ivy",
        title="Ruin and Ivy",
        base=("Qwen/Qwen-Image", "Qwen/Qwen-Image-2512"),
        kind="concept",
        tags=("concept", "architecture", "plants"),
        licence="apache-2.0",
        downloads=4_408,
        likes=97,
        about="Walls that plants have taken back. Works on both Qwen-Image releases.",
        releases=(
            Release(
                name="main",
                days=40,
                words=("rn1vy", "overgrown wall"),
                weight=0.9,
                files=(File(name="ruin_and_ivy_qwen_r8.safetensors", content=qwen_diffusers(8, seed=75)),),
                pictures=(
                    Picture(name="cutouts-slate-2", prompt="rn1vy, leaves cut from slate"),
                    Picture(name="blocks-meadow-3", prompt="rn1vy, a ruin of blocks, grass on top"),
                    Picture(name="ridges-night-2", prompt="rn1vy, hills at night, an overgrown wall far off"),
                ),
            ),
        ),
    ),
    Sample(
        hub="huggingface",
        name="noctua-lab/flux-canny-lines",
        title="Canny Lines for FLUX",
        base=FLUX_DEV,
        kind="control",
        tags=("control-lora", "canny", "image-to-image"),
        licence="other",
        downloads=8_951,
        likes=274,
        about="Give it white lines on black and a prompt. Needs a control pipeline: its input is twice as wide.",
        releases=(
            Release(
                name="main",
                days=95,
                files=(File(name="flux-canny-lines-lora.safetensors", content=flux_control(8, seed=76)),),
                pictures=(
                    Picture(name="edges-night-3", prompt="(the lines) a portrait"),
                    Picture(name="wren-plum-2", prompt="a portrait in plum and gold, flat colours"),
                ),
            ),
        ),
        quirks={"cardData": {**FLUX_LICENCE, "instance_prompt": None}},
    ),
    Sample(
        hub="huggingface",
        name="feltmakers/make-it-felt-kontext",
        title="Make It Felt",
        base="black-forest-labs/FLUX.1-Kontext-dev",
        kind="style",
        card="ai-toolkit",
        tags=("style", "kontext", "image-editing", "felt"),
        licence="other",
        downloads=7_377,
        likes=233,
        about="Turns whatever is in the picture into needle felt.",
        releases=(
            Release(
                name="main",
                days=58,
                words=("make it felt",),
                files=(
                    File(name="make_it_felt_kontext.safetensors", content=flux_ai_toolkit(8, "make it felt", seed=78)),
                ),
                pictures=(
                    Picture(name="cat-rose-2", prompt="make it felt, the cat at the window"),
                    Picture(name="fox-citrus-3", prompt="make it felt, the fox"),
                ),
            ),
        ),
        quirks={"cardData": FLUX_LICENCE},
    ),
    Sample(
        hub="huggingface",
        name="slowglass/quarry-light",
        title="Quarry Light",
        base="stabilityai/stable-diffusion-3.5-large",
        kind="style",
        tags=("style", "photography", "stone"),
        licence="other",
        downloads=1_206,
        likes=48,
        about="Bare rock in low sun, long shadows, hardly any colour.",
        releases=(
            Release(
                name="main",
                days=130,
                words=("qrry light",),
                weight=0.7,
                files=(File(name="quarry_light_sd35l.safetensors", content=QUARRY),),
                pictures=(
                    Picture(name="contours-sand-3", prompt="qrry light, a quarry from above, footpath"),
                    Picture(name="ridges-mono-4", prompt="qrry light, ridge behind ridge"),
                ),
            ),
        ),
        quirks={"cardData": {"license_name": "stabilityai-ai-community"}},
    ),
    Sample(
        hub="huggingface",
        name="quickstep/four-steps-schnell",
        title="Four Steps Home",
        base="black-forest-labs/FLUX.1-schnell",
        kind="tool",
        card="diffusers",
        tags=("distillation", "few-step", "acceleration"),
        licence="apache-2.0",
        downloads=15_040,
        likes=455,
        about="A speed-up: four steps with the look of twenty. Keep guidance at 0.",
        releases=(
            Release(
                name="main",
                days=70,
                files=(File(name="four_steps_schnell.safetensors", content=flux_diffusers(4, seed=79, alpha=4)),),
                pictures=(
                    Picture(name="speed-lagoon-1", prompt="four broad strokes, teal"),
                    Picture(name="speed-rose-2", prompt="four broad strokes, rose"),
                ),
            ),
        ),
        quirks={"cardData": {"instance_prompt": None}},
    ),
    Sample(
        hub="huggingface",
        name="longwave/paper-boats-wan22",
        title="Paper Boats",
        base="Wan-AI/Wan2.2-T2V-A14B-Diffusers",
        kind="concept",
        tags=("concept", "text-to-video", "wan", "paper"),
        licence="apache-2.0",
        downloads=2_019,
        likes=83,
        about="Boats of folded paper on still water, seen by a camera that is in no hurry.",
        releases=(
            Release(
                name="main",
                days=49,
                words=("pprboat",),
                files=(
                    File(
                        name="paper_boats_low_noise.safetensors",
                        content=wan_kohya(2, "pprboat", seed=80, on="wan2.2_t2v_low_noise_14B_fp16.safetensors"),
                    ),
                    File(
                        name="paper_boats_high_noise.safetensors",
                        content=wan_kohya(2, "pprboat", seed=81, on="wan2.2_t2v_high_noise_14B_fp16.safetensors"),
                    ),
                ),
                pictures=(
                    Picture(name="harbour-frost-2", prompt="pprboat, three boats, winter light, slow push in"),
                    Picture(name="frames-sand-2", prompt="pprboat, the tide going out"),
                ),
            ),
        ),
    ),
    Sample(
        hub="huggingface",
        name="potterswheel/mira-the-baker",
        title="Mira the Baker",
        base="Tongyi-MAI/Z-Image-Turbo",
        kind="character",
        card="ai-toolkit",
        tags=("character", "original-character"),
        licence="apache-2.0",
        downloads=5_311,
        likes=176,
        about="An invented baker with curls full of flour. Six angles, two aprons, one oven.",
        releases=(
            Release(
                name="main",
                days=17,
                words=("m1ra",),
                weight=0.9,
                files=(File(name="mira_the_baker.safetensors", content=z_image_ai_toolkit(8, "m1ra", seed=82)),),
                pictures=(
                    Picture(name="mira-citrus-1", prompt="m1ra in her bakery, yellow wall"),
                    Picture(name="mira-rose-2", prompt="m1ra, flour on her cheek, pink wall"),
                    Picture(name="still-meadow-2", prompt="m1ra's kitchen table before dawn"),
                ),
            ),
        ),
    ),
)
