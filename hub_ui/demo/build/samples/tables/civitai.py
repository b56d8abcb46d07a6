"""CivitAI's typical samples, for well-known base models."""

from dataclasses import replace

from hub_ui.demo.build.samples.recipes import flux_control, flux_kohya, sdxl_kohya, wan_kohya
from hub_ui.demo.build.samples.sample import Archive, File, Picture, Release, Sample, Weights

SELL = ("Image", "RentCivit", "Rent", "Sell")
RENT = ("Image", "RentCivit")
IMAGES = ("Image",)

PONY = "ponyDiffusionV6XL_v6StartWithThisOne.safetensors"
LANTERNS = sdxl_kohya(4, "lntrnqtr", seed=31, on=PONY)
ODILE = sdxl_kohya(8, "odile", "navy peacoat", "silver braid", seed=21, on="Illustrious-XL-v1.0.safetensors")
LOCON = Weights(
    network="sdxl convolutions", layout="kohya", rank=4, alpha=1, only=("attn", "layers"), dtype="F16", seed=25
)
SLIDER = Weights(
    network="sdxl diffusers", layout="kohya", rank=4, alpha=1, only=("attn1",), dtype="F16", silent=True, seed=27
)

SAMPLES: tuple[Sample, ...] = (
    Sample(
        hub="civitai",
        id=412806,
        name="saltmarsh-gouache",
        title="Saltmarsh Gouache",
        creator="fennmarrow",
        base="Flux.1 D",
        kind="style",
        tags=("style", "gouache", "landscape", "painting", "illustration"),
        licence=RENT,
        downloads=38_412,
        likes=5_120,
        about=(
            "<p>Flat, chalky gouache with wide horizons: tidal flats, reed beds, weather coming in from the sea.</p>"
            "<p>Start at <strong>0.8</strong>. Go down to 0.5 when you only want the palette, up to 1.0 for dry brush."
            "</p><ul><li>Trigger: <code>sltmrsh gouache</code></li><li>Likes: low suns, mist, an empty middle ground"
            "</li><li>Dislikes: crowds</li></ul>"
        ),
        releases=(
            Release(
                name="v2.0",
                days=19,
                words=("sltmrsh gouache",),
                weight=0.8,
                about="<p>Retrained on 64 paintings of my own. Skies no longer band.</p>",
                files=(
                    File(
                        name="saltmarsh_gouache_v2.safetensors",
                        content=flux_kohya(16, "sltmrsh gouache", seed=11),
                        fp="bf16",
                    ),
                ),
                pictures=(
                    Picture(name="dunes-dusk-1", prompt="sltmrsh gouache, tidal flats under a low moon, mauve evening"),
                    Picture(name="heron-tangerine-2", prompt="sltmrsh gouache, a heron in the reeds at sundown"),
                    Picture(name="ridges-frost-2", prompt="sltmrsh gouache, hills in winter haze, a line of firs"),
                    Picture(name="harbour-jade-4", prompt="sltmrsh gouache, three sailing boats, green dusk"),
                ),
            ),
            Release(
                name="v1.1",
                days=171,
                words=("sltmrsh gouache",),
                weight=0.9,
                files=(
                    File(
                        name="saltmarsh_gouache_v1-1.safetensors",
                        content=flux_kohya(8, "sltmrsh gouache", seed=12),
                        fp="bf16",
                    ),
                ),
                pictures=(Picture(name="dunes-sand-5", prompt="sltmrsh gouache, dunes at noon, heat"),),
            ),
            Release(
                name="v1.0",
                days=202,
                words=("sltmrsh",),
                files=(
                    File(name="saltmarsh_gouache.safetensors", content=flux_kohya(4, "sltmrsh", seed=13), fp="bf16"),
                ),
                pictures=(Picture(name="dunes-slate-6", prompt="sltmrsh, grey shore, rain far out"),),
            ),
        ),
    ),
    Sample(
        hub="civitai",
        id=538214,
        name="captain-odile",
        title="Captain Odile, Harbour Pilot",
        creator="mirelune",
        base="Illustrious",
        kind="character",
        tags=("character", "woman", "uniform", "original character", "anime"),
        licence=IMAGES,
        downloads=21_904,
        likes=3_377,
        about=(
            "<p>My own character: a harbour pilot with a silver braid, a navy peacoat and a brass whistle she never "
            "uses.</p><p>The coat is optional: drop <em>navy peacoat</em> and dress her as you like.</p>"
        ),
        releases=(
            Release(
                name="Illustrious v1",
                days=44,
                # One string with commas, as one page in twenty has it.
                words=("odile, navy peacoat, brass whistle, silver braid",),
                weight=0.9,
                files=(File(name="captain_odile_il.safetensors", content=ODILE),),
                pictures=(
                    Picture(
                        name="odile-lagoon-1",
                        prompt="masterpiece, odile, navy peacoat, smile, harbour at dusk <lora:captain_odile_il:0.9>",
                    ),
                    Picture(name="odile-dusk-2", prompt="odile, silver braid, looking at viewer, flat colours"),
                    Picture(name="shore-frost-1", prompt="lighthouse, no humans, morning, scenery"),
                ),
            ),
        ),
    ),
    Sample(
        hub="civitai",
        id=297153,
        name="enamel-pin-studio",
        title="Enamel Pin Studio",
        creator="tsubaki_works",
        base="SDXL 1.0",
        kind="style",
        tags=("style", "enamel", "badge", "product", "icon"),
        licence=SELL,
        downloads=30_118,
        likes=4_402,
        about="<p>Hard enamel pins with metal outlines on plain card. Good at 0.7 with short prompts.</p>",
        releases=(
            Release(
                name="v1.0",
                days=388,
                words=("enamel pin", "enamel pin", " enamel pin, ", "<lora:enamelpin_xl:0.7>"),
                weight=0.7,
                files=(File(name="enamelpin_xl.safetensors", content=sdxl_kohya(4, "enamel pin", seed=22)),),
                pictures=(
                    Picture(name="fox-jade-2", prompt="enamel pin, fox head, gold lines <lora:enamelpin_xl:0.7>"),
                    Picture(name="moth-citrus-1", prompt="enamel pin, luna moth, symmetrical <lora:enamelpin_xl:0.7>"),
                    Picture(name="planets-plum-3", prompt="enamel pin, ringed planet, moons <lora:enamelpin_xl:0.8>"),
                ),
            ),
        ),
    ),
    Sample(
        hub="civitai",
        id=640877,
        name="lantern-quarter",
        title="Lantern Quarter",
        creator="nightmarket",
        base="Pony",
        kind="concept",
        tags=("concept", "buildings", "background", "street", "night"),
        licence=(),
        downloads=12_730,
        likes=1_905,
        about=(
            "<p>A hillside town with gabled houses and far too many lit windows. Works for wide shots and for looking "
            "up an alley.</p><p>Take the fp16 file unless you merge. The drawings I trained on are in the zip.</p>"
        ),
        releases=(
            Release(
                name="v1",
                days=103,
                words=("lntrnqtr",),
                weight=0.75,
                files=(
                    File(
                        name="lantern_quarter_fp32.safetensors",
                        content=replace(LANTERNS, dtype="F32"),
                        fp="fp32",
                        main=False,
                    ),
                    File(name="lantern_quarter.safetensors", content=LANTERNS),
                    File(
                        name="lantern_quarter_training_data.zip",
                        content=Archive(pictures=("town-ember-1", "town-moss-2", "town-night-3")),
                        kind="Training Data",
                        fp=None,
                        main=False,
                    ),
                ),
                pictures=(
                    Picture(name="town-ember-1", prompt="score_9, lntrnqtr, hillside town, red night, no humans"),
                    Picture(name="town-moss-2", prompt="score_9, lntrnqtr, rooftops, moonlight, warm windows"),
                    Picture(name="town-night-3", prompt="score_9, lntrnqtr, blue hour, chimneys, wide shot"),
                ),
            ),
        ),
    ),
    Sample(
        hub="civitai",
        id=708846,
        name="night-bus-wet-street",
        title="Night Bus, Wet Street",
        creator="slow_shutter",
        base="Wan Video 2.2 T2V-A14B",
        kind="concept",
        tags=("concept", "video", "city", "camera", "rain"),
        licence=SELL,
        downloads=5_218,
        likes=811,
        about=(
            "<p>A slow pan along a wet street as the last bus leaves. Two files: one for the high-noise model and one "
            "for the low-noise model. Load both.</p>"
        ),
        releases=(
            Release(
                name="T2V 14B",
                days=61,
                words=("nghtbus", "slow pan"),
                files=(
                    File(
                        name="nightbus_wan22_high_noise.safetensors",
                        content=wan_kohya(4, "nghtbus", seed=41, on="wan2.2_t2v_high_noise_14B_fp16.safetensors"),
                    ),
                    File(
                        name="nightbus_wan22_low_noise.safetensors",
                        content=wan_kohya(4, "nghtbus", seed=42, on="wan2.2_t2v_low_noise_14B_fp16.safetensors"),
                        main=False,
                    ),
                ),
                pictures=(
                    Picture(name="frames-lilac-1", prompt="nghtbus, slow pan over hills at first light"),
                    Picture(name="towers-jade-2", prompt="nghtbus, slow pan, towers in green haze"),
                ),
            ),
        ),
    ),
    Sample(
        hub="civitai",
        id=655921,
        name="wren-field-botanist",
        title="Wren, Field Botanist",
        creator="mossy_margins",
        base="Flux.1 D",
        kind="character",
        tags=("character", "person", "glasses", "original character"),
        licence=RENT,
        downloads=16_077,
        likes=2_240,
        about=(
            "<p>Wren has round glasses, a blunt bob and mud on her boots. Drawn from one invented person, never from a "
            "real one.</p><p>0.8 to 1.0. Add <em>field notebook</em> for the notebook.</p>"
        ),
        releases=(
            Release(
                name="v1.0",
                days=27,
                words=("wr3n woman", "field notebook"),
                weight=0.9,
                files=(File(name="wren_flux_r4.safetensors", content=flux_kohya(4, "wr3n woman", seed=14), fp="bf16"),),
                pictures=(
                    Picture(name="wren-meadow-1", prompt="wr3n woman with round glasses, plain green backdrop"),
                    Picture(name="herbarium-ember-2", prompt="a page from wr3n woman's field notebook, pressed stems"),
                    Picture(name="forest-lilac-2", prompt="wr3n woman, far off between birches, early fog"),
                ),
            ),
        ),
    ),
    Sample(
        hub="civitai",
        id=588233,
        name="sixteen-little-beasts",
        title="Sixteen Little Beasts",
        creator="rowsandcolumns",
        base="NoobAI",
        kind="style",
        tags=("style", "pixel art", "sprite", "creature", "game asset"),
        licence=SELL,
        downloads=11_204,
        likes=1_630,
        about="<p>Symmetrical creatures on a twelve by twelve grid. Ask for <em>front view</em>; plain grounds.</p>",
        releases=(
            Release(
                name="v1",
                days=140,
                words=("ltlbst", "pixel art"),
                weight=0.85,
                files=(
                    File(
                        name="little_beasts_noob.safetensors",
                        content=sdxl_kohya(4, "ltlbst", seed=26, on="NoobAI-XL-v1.1.safetensors"),
                    ),
                ),
                pictures=(
                    Picture(name="sprite-night-1", prompt="ltlbst, pixel art, front view, orange and cream"),
                    Picture(name="sprite-jade-4", prompt="ltlbst, pixel art, front view, forest"),
                    Picture(name="sprite-plum-5", prompt="ltlbst, pixel art, front view, dusk"),
                ),
            ),
        ),
    ),
    Sample(
        hub="civitai",
        id=301944,
        name="moth-cloak",
        title="Moth Cloak",
        creator="quietloom",
        base="SDXL 1.0",
        kind="concept",
        tags=("clothing", "concept", "cloak", "fantasy"),
        licence=RENT,
        downloads=9_640,
        likes=1_318,
        about="<p>A cloak patterned like a moth's wings. A LyCORIS; no trigger word, just ask for a moth cloak.</p>",
        releases=(
            Release(
                name="v1.2",
                days=240,
                words=(),
                weight=0.7,
                files=(File(name="mothcloak_locon.safetensors", content=LOCON),),
                pictures=(
                    Picture(name="moth-plum-2", prompt="a moth cloak laid flat, violet velvet"),
                    Picture(name="moth-jade-1", prompt="moth cloak seen from behind, green hall"),
                ),
            ),
        ),
        quirks={"type": "LoCon"},
    ),
    Sample(
        hub="civitai",
        id=518360,
        name="edge-weaver",
        title="Edge Weaver: draw over my lines",
        creator="gridpaper",
        base="Flux.1 D",
        kind="control",
        tags=("control", "canny", "lineart", "tool", "structure"),
        licence=IMAGES,
        downloads=14_866,
        likes=1_702,
        about=(
            "<p>A control LoRA: it takes a second picture of white lines on black and keeps to them.</p>"
            "<p>Needs a pipeline with a control input. In an ordinary one it only makes noise.</p>"
        ),
        releases=(
            Release(
                name="v1 r16",
                days=88,
                words=(),
                files=(File(name="edge_weaver_flux_r16.safetensors", content=flux_control(16, seed=15), fp="bf16"),),
                pictures=(
                    Picture(name="edges-mono-2", prompt="(the lines) a lighthouse on its rock"),
                    Picture(name="shore-mono-1", prompt="a lighthouse on its rock, flat inks"),
                    Picture(name="edges-dusk-1", prompt="(the lines) portrait with round glasses"),
                ),
            ),
        ),
    ),
    Sample(
        hub="civitai",
        id=122431,
        name="detail-dial",
        title="Detail Dial",
        creator="ohm_and_sons",
        base="SDXL 1.0",
        kind="tool",
        tags=("tool", "slider", "detail", "enhancer"),
        licence=SELL,
        downloads=52_008,
        likes=6_011,
        about=(
            "<p>A slider from bare to lush. <strong>-3</strong> empties the picture, <strong>+3</strong> fills it. "
            "No trigger word.</p>"
        ),
        releases=(
            Release(
                name="rank 4",
                days=512,
                weight=2.0,
                files=(File(name="detail_dial_xl.safetensors", content=SLIDER),),
                pictures=(
                    Picture(name="dial-frost-2", prompt="winter hills, left without, right at 2.0"),
                    Picture(name="dial-rose-1", prompt="pink dunes, left without, right at 2.0"),
                ),
                quirks={"trainedWords": None},
            ),
        ),
    ),
)
