"""Three hundred queries drawn at random: an index that grew, one built at once, PostgreSQL and another order agree."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.query import Query, Range, Sort
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.catalog import rings
from hub_ui.catalog.catalog import Catalog
from tests.hub_ui.catalog.builders import DATABASES, both, claim, file, lora, version
from tests.hub_ui.catalog.postgres_server import empty

WORDS = ("ink", "pixel", "art", "pixelart", "PixelArt", "水彩", "café", "v2", "sd-xl", "night", "in")
BASES = ("Pony", "SDXL 1.0", "Flux.1 D", "Wan Video", "My base", None)
HUBS = ("civitai", "huggingface", "replicate")
LICENSES = ("mit", "it may be sold, no merges", "images may be sold, credit not needed", "My own")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
INSTALLED = tuple(Ref(hub="civitai", id=str(number)) for number in range(0, 200, 7))


def drawn_lora(draw: random.Random, number: int) -> Lora:
    def text(most: int) -> str:
        return " ".join(draw.choices(WORDS, k=draw.randint(0, most)))

    hub = draw.choice(HUBS)
    ref = Ref(hub=hub, id=str(number) if hub == "civitai" else f"ada/{number}")
    # Some are at home on several hubs, and some are parts of collections.
    sha256 = f"{draw.randrange(60):064x}" if draw.random() < 0.4 else None
    files = (file(f"civitai:{number}@1#1", size=draw.choice((None, 10**7, 10**8, 10**9)), sha256=sha256),)
    claims = (
        *((claim("kind", draw.choice(("style", "tool", "runner"))),) if draw.random() < 0.7 else ()),
        *((claim("rank", draw.choice((4, 8, 64))),) if draw.random() < 0.7 else ()),
        *((claim("license", draw.choice(LICENSES)),) if draw.random() < 0.7 else ()),
        *((claim("trigger_words", (draw.choice(WORDS),)),) if draw.random() < 0.5 else ()),
    )
    return lora(
        number,
        ref=ref,
        title=text(3),
        description=text(4),
        creator=draw.choice(("Ada", "bob", "Cy C", None)),
        tags=tuple(draw.choices(WORDS, k=draw.randint(0, 3))),
        nsfw=draw.choice(("safe", "soft", "mature", "explicit", None)),
        access=draw.choice(("open", "open", "gated", "removed")),
        downloads=draw.choice((None, 0, 3, 900, 10**6)),
        likes=draw.choice((None, 0, 5)),
        updated_at=draw.choice((None, "2023-01-01T00:00:00Z", "2026-05-30T12:00:00Z", "2026-01-01T00:00:00Z")),
        versions=(version(f"civitai:{number}@1", base=draw.choice(BASES), files=files),),
        claims=claims,
    )


EXCLUDED = (
    *(("text", word) for word in (*WORDS, "pixel art")), ("tag", "ink"), ("creator", "ada"), ("hub", "replicate"),
    ("base", "sdxl"), ("kind", "tool"), ("license", "sell"), ("access", "gated"), ("trigger", "any"),
)  # fmt: skip
# What a query may ask for, and how often it does.
ASKED: dict[str, tuple[tuple[str, ...], float]] = {
    "phrases": (("pixel art", "ink", "水彩", "art pixel"), 0.1),
    "hubs": (HUBS, 0.2),
    "bases": (("sdxl", "pony", "flux1", "MY base"), 0.2),
    "kinds": (("style", "tool", "runner"), 0.2),
    "creators": (("ADA", "bob", "cy  c", "nobody"), 0.1),
    "tags": (WORDS, 0.1),
    "licenses": (("sell", "merge", "MIT", "my own"), 0.15),
    "access": (("open", "gated", "removed"), 0.1),
    "triggers": (("any", "none", "ink", "pixelart"), 0.1),
}
RANGES = {"rank": (4, 8, 64), "size": (10**7, 10**8, 10**9), "age": (86_400, 10 * 86_400, 300 * 86_400)}


def drawn_query(draw: random.Random) -> Query:
    asked: dict[str, Any] = {
        name: tuple(draw.sample(values, draw.randint(1, 2)))
        for name, (values, share) in ASKED.items()
        if draw.random() < share
    }
    for name, ends in RANGES.items():
        if draw.random() < 0.15:
            asked[name] = Range(least=draw.choice((None, *ends)), most=draw.choice((None, *ends)))
    return Query(
        text=" ".join(draw.choices(("pix", *WORDS), k=draw.choice((0, 0, 1, 1, 2)))),
        excluded=tuple(draw.sample(EXCLUDED, draw.choice((0, 0, 0, 1, 2)))),
        installed=draw.choice((None, None, None, True, False)),
        sort=draw.choice(("relevance", "relevance", "downloads", "likes", "newest")),
        limit=draw.choice((1, 5, 200)),
        nsfw=draw.choice(("safe", "soft", "mature", "explicit")),
        **asked,
    )


@pytest.fixture(name="catalogs", scope="module", params=["sqlite", "postgresql"])
def filled_in_two_orders(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Catalog]]:
    """The first is in a file, the second in another one or in PostgreSQL: each with two indexes."""
    draw = random.Random(12)
    loras = [drawn_lora(draw, number) for number in range(200)]
    with ExitStack() as stack:
        found: list[Catalog] = []
        for name in ("in order", "shuffled"):
            folder: Path = tmp_path_factory.mktemp(name)
            if name == "shuffled" and request.param == "postgresql":
                DATABASES[folder] = request.getfixturevalue("postgres")
                empty(DATABASES[folder])
            indexed, scanned = stack.enter_context(both(folder))
            indexed.add(loras[:80], at=NOW)
            indexed.search(Query())
            # In parts, so that the index has parts too, and some LoRAs twice.
            for start in range(0, len(loras), 40):
                indexed.add(loras[start : start + 40], at=NOW)
                indexed.search(Query())
            found += [indexed, scanned]
            draw.shuffle(loras)
        yield found


@pytest.mark.parametrize(
    "seed", [seed if seed < 100 else pytest.param(seed, marks=pytest.mark.fuzz) for seed in range(300)]
)
def test_all_catalogs_answer_alike(catalogs: list[Catalog], seed: int) -> None:
    draw = random.Random(seed)
    query, offset = drawn_query(draw), draw.choice((0, 0, 3, 150))
    answers = [each.search(query, {"installed": INSTALLED}, offset=offset, now=NOW) for each in catalogs]
    assert answers == [answers[0]] * 4


@pytest.mark.parametrize("seed", range(0, 300, 6))
def test_many_hits_are_in_the_same_order(catalogs: list[Catalog], seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rings, "MOST", 2)
    monkeypatch.setattr(rings, "FEW", 1)
    query = replace(drawn_query(random.Random(seed)), sort="relevance")
    for each in catalogs:
        each._listings.clear()
    answers = [each.search(query, {"installed": INSTALLED}, now=NOW).records for each in catalogs]
    assert answers == [answers[0]] * 4


@pytest.mark.parametrize("text", ["ink", "pix", "art pixel", ""])
@pytest.mark.parametrize("sort", ["relevance", "likes"])
def test_a_page_is_a_part_of_one_long_list(catalogs: list[Catalog], text: str, sort: Sort) -> None:
    for each in catalogs[:2]:
        whole = each.listing(Query(text=text, sort=sort, limit=500)).ids
        for end in range(7, 210, 7):
            assert each.listing(Query(text=text, sort=sort, limit=end)).ids == whole[:end]
