from pathlib import Path

from connectors.query import Query
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.catalog.catalog import Catalog
from hub_ui.catalog.search import BaseCount, Facets
from tests.hub_ui.catalog.builders import catalog, claim, file, lora, version

LORAS = (
    lora(1, base="Pony", claims=(claim("kind", "style"), claim("rank", 8), claim("license", "MIT"))),
    lora(2, base="Illustrious", claims=(claim("kind", "style"), claim("rank", 32))),
    lora(3, base="Flux.1 D", claims=(claim("kind", "character"), claim("rank", 8))),
    lora(4, base="Made Up Base", nsfw="explicit"),
    lora(5, base="made up base"),
    lora(6, ref=Ref.parse("hf:ada/ink"), versions=()),
)


def facets(path: Path, *loras: Lora, **fields: object) -> Facets:
    with catalog(path, *loras) as opened:
        return opened.search(Query(**fields)).facets  # type: ignore[arg-type]


def test_base_models_stand_under_their_architecture(tmp_path: Path) -> None:
    def shown(bases: tuple[BaseCount, ...]) -> list[object]:
        return [(base.id, base.label, base.count, *shown(base.children)) for base in bases]

    assert shown(facets(tmp_path, *LORAS[:3]).bases) == [
        ("sdxl", "SDXL", 2, ("illustrious", "Illustrious", 1), ("pony", "Pony", 1)),
        ("flux1", "FLUX.1", 1, ("flux.1-dev", "FLUX.1 dev", 1)),
    ]


def test_an_unlisted_base_is_counted_once_under_its_first_spelling(tmp_path: Path) -> None:
    [top] = facets(tmp_path, *LORAS[3:5], nsfw="explicit").bases
    assert (top.id, top.label, top.count, top.children) == ("made up base", "Made Up Base", 2, ())


def test_a_chosen_base_leaves_the_others_visible(tmp_path: Path) -> None:
    found = facets(tmp_path, *LORAS, bases=("pony",))
    assert {base.id: base.count for base in found.bases} == {"sdxl": 2, "flux1": 1, "made up base": 1}
    assert found.of("kind") == {"style": 1}


def test_a_lora_for_two_bases_counts_once_under_each_and_once_above(tmp_path: Path) -> None:
    versions = (version("civitai:1@10", base="Pony"), version("civitai:1@11", base="Illustrious"))
    [top] = facets(tmp_path, lora(versions=versions)).bases
    assert (top.count, [child.count for child in top.children]) == (1, [1, 1])


def test_a_base_that_the_file_can_not_be_for_is_not_counted(tmp_path: Path) -> None:
    flux = claim("architecture", "flux1", source="header")
    read = version("civitai:1@10", base="SDXL 1.0", files=(file(claims=(flux,)),))
    [top] = facets(tmp_path, lora(versions=(read,))).bases
    assert (top.id, top.children) == ("flux1", ())


def test_every_count_is_what_choosing_it_shows(tmp_path: Path) -> None:
    header = (claim("architecture", "flux1", source="header"),)
    loras = (*LORAS, lora(7, base="Made up BASE", claims=header), lora(8, base="Wan Video"), lora(9, base="Pony"))
    with catalog(tmp_path, *loras) as indexed:
        found = indexed.search(Query()).facets
        for base in found.bases:
            for choice in (base, *base.children):
                assert _total(indexed, bases=(choice.id,)) == choice.count, choice
        assert {hub: _total(indexed, hubs=(hub,)) for hub in found.of("hubs")} == found.of("hubs")
        assert {kind: _total(indexed, kinds=(kind,)) for kind in found.of("kind")} == found.of("kind")


def _total(of: Catalog, **fields: object) -> int:
    return of.search(Query(**fields)).total  # type: ignore[arg-type]
