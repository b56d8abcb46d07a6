"""CivitAI's unusual samples: restricted, contradictory, badly written or hostile."""

from hub_ui.demo.build.samples.recipes import flux_kohya, qwen_diffusers, sd1_kohya, sdxl_kohya, z_image_ai_toolkit
from hub_ui.demo.build.samples.sample import PG13, File, Picture, R, Release, Sample, Text, Weights, X
from hub_ui.demo.build.samples.tables.civitai import IMAGES, RENT, SELL

LOHA = Weights(
    network="sd1", layout="kohya", rank=4, alpha=1, algorithm="loha", dtype="F16", words=("chlkrain",), seed=52
)
DORA = Weights(network="sdxl", layout="kohya", rank=4, alpha=4, algorithm="dora", only=("attn",), dtype="F16", seed=53)
HALCYON = Weights(network="halcyon", layout="kohya", rank=16, alpha=16, words=("hlcyn haze",), seed=54)

SAMPLES: tuple[Sample, ...] = (
    Sample(
        hub="civitai",
        id=655120,
        name="paper-theatre",
        title="Paper Theatre",
        creator="oyasumi_press",
        # The uploader chose the wrong base: the file was trained on FLUX.1.
        base="SDXL 1.0",
        kind="style",
        tags=("style", "papercraft", "diorama", "paper"),
        licence=RENT,
        downloads=10_455,
        likes=1_544,
        about="<p>Folded and layered paper, lit from the wings like a toy stage.</p>",
        releases=(
            Release(
                name="v1.0",
                days=36,
                words=("pprthtr",),
                weight=0.8,
                files=(File(name="paper_theatre.safetensors", content=flux_kohya(4, "pprthtr", seed=51), fp="bf16"),),
                pictures=(
                    Picture(name="shards-lilac-1", prompt="pprthtr, a storm of folded triangles, violet light"),
                    Picture(name="shards-sand-2", prompt="pprthtr, kraft paper and teal, heap of offcuts"),
                    Picture(name="cutouts-meadow-1", prompt="pprthtr, six leaves on six sheets"),
                ),
            ),
        ),
    ),
    Sample(
        hub="civitai",
        id=702218,
        name="velvet-hour",
        title="Velvet Hour",
        creator="afterglow",
        base="SDXL 1.0",
        kind="style",
        tags=("style", "boudoir", "mood", "soft focus"),
        licence=IMAGES,
        downloads=18_230,
        likes=2_951,
        about="<p>Low light, heavy fabric, soft focus. For grown-ups. A DoRA, so use a loader that keeps it.</p>",
        releases=(
            Release(
                name="v1 DoRA",
                days=52,
                words=("vlvt hour",),
                weight=0.6,
                files=(File(name="velvetHour_v1DoRA.safetensors", content=DORA),),
                pictures=(
                    Picture(name="velvet-plum-1", prompt="vlvt hour, violet curtains, out of focus", level=X),
                    Picture(name="velvet-ember-2", prompt="vlvt hour, amber curtains, candle light", level=R),
                ),
            ),
        ),
        quirks={"type": "DoRA", "nsfw": True},
    ),
    Sample(
        hub="civitai",
        id=266790,
        name="sunlit-terrace",
        title="Sunlit Terrace",
        creator="piazza_84",
        base="SDXL 1.0",
        kind="concept",
        tags=("concept", "summer", "background", "still life"),
        licence="{Image,RentCivit}",
        downloads=7_902,
        likes=1_006,
        about="<p>Late lunch outdoors: jugs, bowls, long shadows. Not marked mature, though one picture is.</p>",
        releases=(
            Release(
                name="v1.0",
                days=410,
                words=("sunlit terrace", "late lunch,"),
                weight=0.6,
                files=(File(name="sunlit_terrace_xl.safetensors", content=sdxl_kohya(4, "sunlit terrace", seed=55)),),
                pictures=(
                    Picture(name="still-tangerine-1", prompt="sunlit terrace, late lunch, jug and bowls"),
                    Picture(name="still-lilac-2", prompt="sunlit terrace, shade of an awning", level=PG13),
                    Picture(name="bars-lagoon-2", prompt="sunlit terrace, striped deck chairs, noon", level=R),
                ),
            ),
        ),
    ),
    Sample(
        hub="civitai",
        id=731905,
        name="glasshouse-at-dawn",
        title="Glasshouse at Dawn",
        creator="fennmarrow",
        base="ZImageTurbo",
        kind="concept",
        tags=("concept", "plants", "architecture", "background"),
        licence=RENT,
        downloads=604,
        likes=188,
        about="<p>Palms behind wet panes. In early access for two weeks, free for everyone after that.</p>",
        releases=(
            Release(
                name="v1",
                days=9,
                words=("glsshs",),
                weight=0.85,
                files=(
                    File(
                        name="glasshouse_zit.safetensors",
                        content=z_image_ai_toolkit(8, "glsshs", seed=56),
                        fp="bf16",
                        access="paid",
                    ),
                ),
                pictures=(
                    Picture(name="glass-jade-2", prompt="glsshs, coloured panes, a sun in the middle"),
                    Picture(name="herbarium-meadow-3", prompt="glsshs, three tall stems, morning"),
                ),
                early=12,
            ),
        ),
    ),
    Sample(
        hub="civitai",
        id=88412,
        name="old-tram-lines",
        title="Old Tram Lines",
        creator="depotkeeper",
        base="SD 1.5",
        kind="concept",
        tags=("concept", "vehicle", "city", "retro"),
        licence=IMAGES,
        downloads=23_771,
        likes=2_018,
        about="<p>Trams before 1950. Archived: please use the newer one I am working on.</p>",
        releases=(
            Release(
                name="v3",
                days=905,
                words=("oldtram",),
                files=(
                    File(name="oldtram_v3.safetensors", content=sd1_kohya(8, "oldtram", seed=57), access="archived"),
                ),
                pictures=(Picture(name="towers-sand-1", prompt="oldtram, boulevard in haze, sepia"),),
            ),
        ),
        quirks={"mode": "Archived"},
    ),
    Sample(
        hub="civitai",
        id=719033,
        name="copper-sea",
        title="Copper Sea",
        creator="low_tide_lab",
        base="Qwen",
        kind="style",
        tags=("style", "etching", "sea", "print"),
        licence=IMAGES,
        downloads=1_140,
        likes=402,
        about="<p>Aquatint waves in copper and verdigris. Only for generating on the site; there is no download.</p>",
        releases=(
            Release(
                name="on-site",
                days=33,
                words=("cpprsea",),
                weight=0.9,
                files=(File(name="copper_sea_qwen.safetensors", content=qwen_diffusers(4, seed=58), fp="bf16"),),
                pictures=(
                    Picture(name="waves-citrus-1", prompt="cpprsea, rolling waves, copper and teal"),
                    Picture(name="waves-meadow-2", prompt="cpprsea, calm swell, verdigris"),
                ),
                quirks={"usageControl": "Generation"},
            ),
        ),
    ),
    Sample(
        hub="civitai",
        id=154077,
        name="the-quiet-astronaut",
        title="The Quiet Astronaut",
        creator="gravitas",
        base="SD 1.5",
        kind="character",
        tags=("character", "space", "helmet", "sci-fi"),
        licence=RENT,
        downloads=None,
        likes=None,
        about="<p>Someone in a round helmet who has seen a thing or two. Rank 256 because I had the space.</p>",
        releases=(
            Release(
                name="r256",
                days=640,
                words=("quietastro",),
                weight=0.8,
                files=(
                    File(
                        name="quiet_astronaut_r256.safetensors",
                        content=sd1_kohya(256, "quietastro", seed=59, alpha=256),
                        access="login",
                    ),
                ),
                pictures=(
                    Picture(name="astronaut-dusk-1", prompt="quietastro, bust, violet sky, dunes in the visor"),
                    Picture(name="astronaut-meadow-2", prompt="quietastro, green dawn, freckles of stars"),
                ),
            ),
        ),
    ),
    Sample(
        hub="civitai",
        id=61203,
        name="chalk-and-rain",
        title="Chalk & Rain",
        creator=None,
        base="SD 1.5",
        kind="style",
        tags=("style", "chalk", "pastel", "rain"),
        licence=(),
        downloads=4_380,
        likes=377,
        about="<p>Pavement chalk after a shower. A LoHa at rank 4, small and stubborn.</p>",
        releases=(
            Release(
                name="v1",
                days=1010,
                words=("chlkrain",),
                files=(File(name="chalkrain_loha.safetensors", content=LOHA, fp=None),),
                pictures=(Picture(name="bubbles-mono-1", prompt="chlkrain, drops on slate, grey morning"),),
            ),
        ),
        quirks={"type": "LoCon"},
    ),
    Sample(
        hub="civitai",
        id=45310,
        name="pocket-postcards",
        title="Pocket Postcards",
        creator="depotkeeper",
        base="SD 1.5",
        kind="style",
        tags=("style", "retro", "postcard", "print"),
        licence="Image",
        downloads=31_506,
        likes=2_790,
        about="<p>Two-colour seaside postcards. v1 is an old pickle; v2 is the same thing as safetensors.</p>",
        releases=(
            Release(
                name="v2",
                days=820,
                words=("pktpost",),
                files=(File(name="pktpost_v2.safetensors", content=sd1_kohya(4, "pktpost", seed=60)),),
                pictures=(
                    Picture(name="shore-tangerine-2", prompt="pktpost, lighthouse, orange evening"),
                    Picture(name="balloons-rose-2", prompt="pktpost, balloons over pink hills"),
                ),
            ),
            Release(
                name="v1",
                days=1090,
                words=("pktpost",),
                files=(
                    File(
                        name="pktpost_v1.pt", content=Text(text="Where a pickle would be. Nothing opens it."), fp=None
                    ),
                ),
                pictures=(Picture(name="balloons-lagoon-1", prompt="pktpost, balloons at night"),),
            ),
        ),
    ),
    Sample(
        hub="civitai",
        id=734410,
        name="halcyon-haze",
        title="Halcyon Haze",
        creator="earlybird",
        base="Halcyon 2",
        kind="style",
        tags=("style", "haze", "experimental"),
        licence=SELL,
        downloads=96,
        likes=41,
        about="<p>First try on a base model that came out this week.</p>",
        releases=(
            Release(
                name="test",
                days=7,
                words=("hlcyn haze",),
                files=(File(name="halcyon_haze.safetensors", content=HALCYON, fp="bf16"),),
                pictures=(Picture(name="ridges-rose-1", prompt="hlcyn haze, hills, one after the other"),),
            ),
        ),
    ),
    Sample(
        hub="civitai",
        id=733001,
        name="hostile-markup",
        title=(
            "⚡️🦊✨ ULTRA <b>FOX</b> \u202eXOF\u202c mega pack: the only fox you will ever need, now with 40 % more "
            "fox, ثعلب edition, please rate 🦊🦊🦊🦊🦊"
        ),
        creator="foxfoxfox",
        base="SDXL 1.0",
        kind="concept",
        tags=("animal", "fox", "<script>alert('tag')</script>"),
        licence=IMAGES,
        downloads=212,
        likes=9,
        about=(
            "<h1>FOX</h1><script>document.title='owned'</script>"
            "<img src=x onerror=\"document.title='owned'\"><a href=\"javascript:alert('link')\">more foxes</a>"
            '<iframe src="https://example.invalid/"></iframe><p style="position:fixed;inset:0">fox fox fox</p>'
            "<p>Honestly though, it is a decent fox.</p>"
        ),
        releases=(
            Release(
                name='v1 "><svg onload=alert(1)>',
                days=14,
                words=("fx<fox>", "🦊"),
                files=(File(name="ultra_fox.safetensors", content=sdxl_kohya(4, "fxfox", seed=61)),),
                pictures=(
                    Picture(name="fox-dusk-2", prompt="fxfox, <img src=x onerror=alert(1)>, portrait of a fox"),
                    Picture(name="fox-night-1", prompt="fxfox at night"),
                ),
            ),
        ),
    ),
    Sample(
        hub="civitai",
        id=690210,
        name="gone-fishing",
        title="Gone Fishing",
        creator="low_tide_lab",
        base="Flux.1 D",
        kind="style",
        tags=("style", "pond", "fish"),
        licence=RENT,
        downloads=2_905,
        likes=310,
        about="<p>Carp from above.</p>",
        releases=(
            Release(
                name="v1",
                days=75,
                words=("gnfshng",),
                files=(
                    File(
                        name="gone_fishing.safetensors",
                        content=flux_kohya(4, "gnfshng", seed=62),
                        fp="bf16",
                    ),
                ),
                pictures=(Picture(name="pond-slate-1", prompt="gnfshng, carp under lilies"),),
            ),
        ),
        deleted=True,
    ),
)
