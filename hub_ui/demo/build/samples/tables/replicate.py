"""Replicate's samples: fine-tunes whose base model shows only in their inputs."""

from hub_ui.demo.build.samples.recipes import flux_diffusers, sdxl_diffusers
from hub_ui.demo.build.samples.sample import File, Picture, Release, Sample

FLUX, SDXL, UPSCALER = "flux", "sdxl", "upscaler"

SAMPLES: tuple[Sample, ...] = (
    Sample(
        hub="replicate",
        name="pearlgrey/fog-harbour",
        title="Fog Harbour",
        base=FLUX,
        kind="style",
        about='Muted harbours in fog. FLUX.1 dev fine-tune, use "FGHRBR" to trigger the style.',
        downloads=41_233,
        releases=(
            Release(
                name="v1",
                days=21,
                words=("FGHRBR",),
                weight=0.9,
                files=(File(name="lora.safetensors", content=flux_diffusers(8, seed=101)),),
                pictures=(Picture(name="harbour-slate-1", prompt="three boats at anchor in the style of FGHRBR"),),
            ),
        ),
    ),
    Sample(
        hub="replicate",
        name="tallboots/old-map-flux",
        title="Old Map",
        base=FLUX,
        kind="concept",
        about="A concept: hand-drawn maps of islands that are not there. Start your prompt with: an OLDMAP of",
        downloads=18_904,
        releases=(
            Release(
                name="v2",
                days=34,
                words=("OLDMAP",),
                weight=1.0,
                files=(File(name="lora.safetensors", content=flux_diffusers(8, seed=102)),),
                pictures=(Picture(name="contours-citrus-5", prompt="an OLDMAP of two islands and a ferry line"),),
            ),
            Release(
                name="v1",
                days=77,
                words=("OLDMAP",),
                files=(File(name="lora.safetensors", content=flux_diffusers(4, seed=103)),),
            ),
        ),
    ),
    Sample(
        hub="replicate",
        name="pearlgrey/ivo-the-clockmaker",
        title="Ivo the Clockmaker",
        base=FLUX,
        kind="character",
        about="A consistent character: IVO man, invented, in his forties, mends clocks. Trained on 14 drawings.",
        downloads=6_015,
        releases=(
            Release(
                name="v1",
                days=55,
                words=("IVO man",),
                weight=1.0,
                files=(File(name="lora.safetensors", content=flux_diffusers(4, seed=104)),),
                pictures=(Picture(name="ivo-slate-1", prompt="portrait of IVO man in a flat cap, grey wall"),),
            ),
        ),
    ),
    Sample(
        hub="replicate",
        name="umbra-co/lilac-season",
        title="Lilac Season",
        base=SDXL,
        kind="style",
        about="SDXL fine-tuned on lilac dusk. In the style of TOK.",
        downloads=9_480,
        releases=(
            Release(
                name="v1",
                days=300,
                words=("in the style of TOK",),
                weight=0.6,
                files=(File(name="lora.safetensors", content=sdxl_diffusers(8, seed=105)),),
                pictures=(Picture(name="heron-lilac-2", prompt="a heron in shallow water, in the style of TOK"),),
            ),
        ),
    ),
    Sample(
        hub="replicate",
        name="emptyshelf/first-try",
        title="First Try",
        base=FLUX,
        kind=None,
        about="",
        downloads=0,
        releases=(),
    ),
    Sample(
        hub="replicate",
        name="clearwater/plain-upscaler",
        title="Plain Upscaler",
        base=UPSCALER,
        kind=None,
        about="Twice the size, nothing added.",
        downloads=2_310,
        releases=(
            Release(
                name="v1",
                days=120,
                pictures=(Picture(name="dial-meadow-3", prompt=""),),
            ),
        ),
    ),
)
