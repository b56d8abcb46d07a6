import pytest

from connectors.claims.base_models import base_claims
from connectors.claims.card import base_model_claims
from connectors.claims.resolve import (
    best,
    best_claim,
    conflicts,
    contradicting,
    flatten,
    noise_of,
    other_half,
    record_with_header,
    sentences,
    with_header,
    with_own_claims,
)
from connectors.record import Claim, Lora, Source, Value, Version, WeightFile
from connectors.ref import Ref
from connectors.weights.lora_facts import LoraFacts, read
from tests.connectors.cases import read_cases
from tests.connectors.weights.building import header
from tests.connectors.weights.building import lora as lora_header

READ = read_cases(__file__)

REF = Ref.parse("civitai:1")


def _claim(field: str, value: Value, source: Source = "hub") -> Claim:
    return Claim(field=field, value=value, source=source, where="there")


def _lora(*claims: Claim, versions: tuple[Version, ...] = ()) -> Lora:
    return Lora(ref=REF, title="x", url="https://example.org", versions=versions, claims=claims)


def test_the_most_trusted_claim_is_believed() -> None:
    claims = [_claim("rank", 8, "size"), _claim("rank", 16, "header"), _claim("rank", 4, "card")]
    assert best(claims, "rank") == 16


def test_among_equals_the_earlier_one_is_believed() -> None:
    assert best([_claim("kind", "style"), _claim("kind", "tool")], "kind") == "style"


@pytest.mark.parametrize("empty", [None, "", ()])
def test_an_empty_claim_says_nothing(empty: Value) -> None:
    assert best(
        [_claim("trigger_words", empty, "header"), _claim("trigger_words", ("a",), "tag")], "trigger_words"
    ) == ("a",)


@pytest.mark.parametrize("field", ["trigger_words", "weight", "kind", "license"])
def test_for_an_authors_intention_the_author_is_trusted_more_than_the_file(field: str) -> None:
    claims = [_claim(field, "10 ink", "header"), _claim(field, "inkline", "hub")]
    assert best(claims, field) == "inkline"


def test_a_record_reads_the_claims_of_file_version_and_lora() -> None:
    file = WeightFile(ref=REF.at("2", "3"), name="x", claims=(_claim("rank", 16, "header"),))
    version = Version(ref=REF.at("2"), name="v", files=(file,), claims=(_claim("base_model", "pony"),))
    lora = _lora(_claim("kind", "style"), versions=(version,))
    record = flatten(lora)
    assert (record.rank, record.base_model, record.kind) == (16, "pony", "style")
    assert [claim.field for claim in record.claims] == ["rank", "base_model", "kind", "base_license"]


def test_a_versions_access_counts_while_the_lora_itself_is_open() -> None:
    paid = Version(ref=REF.at("2"), name="v", access="paid")
    lora = _lora(versions=(paid,))
    assert flatten(lora).access == "paid"


FLUX = LoraFacts(what="lora", claims=(_claim("architecture", "flux1", "header"), _claim("rank", 16, "header")))


def _lora_on(base: str) -> Lora:
    """Two files; what its hub says of the base stands at the version, as on CivitAI."""
    files = tuple(WeightFile(ref=REF.at("2", name), name=name) for name in ("a", "b"))
    version = Version(ref=REF.at("2"), name="v", files=files, claims=base_claims(base, "hub", "baseModel"))
    return _lora(versions=(version,))


def test_what_the_file_says_wins_and_the_contradiction_stays_visible() -> None:
    record = flatten(with_header(_lora_on("SDXL 1.0"), REF, FLUX))
    assert (record.architecture, record.rank, record.conflicts) == ("flux1", 16, ("architecture",))
    assert record.conflict_sentences == ("CivitAI says SDXL 1.0, the file is FLUX.1.",)
    assert (record.base_model, record.raw_base_model) == (None, "SDXL 1.0")


def test_a_file_that_is_no_lora_contradicts_the_hub_that_lists_it() -> None:
    record = flatten(with_header(_lora_on("SDXL 1.0"), REF, LoraFacts(what="embedding")))
    assert record.conflicts == ("what",)
    assert record.conflict_sentences == ("CivitAI lists it as a LoRA, the file is a textual inversion embedding.",)
    assert record.base_model == "sdxl-1.0"


@pytest.mark.parametrize(("base", "id_"), [("Flux.1 D", "flux.1-dev"), ("Brand New 1", "Brand New 1")])
def test_a_base_model_the_file_may_be_for_is_kept(base: str, id_: str) -> None:
    record = flatten(with_header(_lora_on(base), REF, FLUX))
    assert (record.base_model, record.conflicts) == (id_, ())


def test_of_the_size_that_a_header_proves_the_hub_knows_the_variant() -> None:
    proved = (_claim("architecture", "flux2", "header"), _claim("base_model", "flux.2-klein-9b", "header"))
    record = flatten(with_header(_lora_on("Flux.2 Klein 9B-base"), REF, LoraFacts(what="lora", claims=proved)))
    assert (record.base_model, record.conflicts) == ("flux.2-klein-9b-base", ())


# Attention alone: FLUX.1 and Chroma both have it, and most such files are for FLUX.1.
USUALLY_FLUX = LoraFacts(
    what="lora",
    claims=(_claim("architectures", ("flux1", "chroma"), "header"), _claim("architecture", "flux1", "probably")),
)


@pytest.mark.parametrize("source", ["hub", "card", "tag"])
def test_whoever_names_a_network_that_the_file_fits_decides(source: Source) -> None:
    claims = (*USUALLY_FLUX.claims, *base_claims("lodestones/Chroma1-HD", source, "base_model"))
    record = flatten(_lora(*claims))
    assert (record.architecture, record.base_model, record.conflict_sentences) == ("chroma", "chroma", ())
    assert record.alternatives == ()


@pytest.mark.parametrize(("repo", "layers", "base"), READ["a true card is believed where other networks fit too"])
def test_a_true_card_is_believed_where_other_networks_fit_too(repo: str, layers: str, base: str) -> None:
    facts = read(header(lora_header(layers, style="diffusers")))
    claims = (*base_claims(repo, "card", "card front matter: base_model"), *facts.claims)
    record = flatten(_lora(*claims))
    assert (record.architecture, record.base_model, record.conflict_sentences) == (base, base, ())


def test_where_nobody_says_it_the_usual_network_is_the_value() -> None:
    record = flatten(with_header(_lora_on("Brand New 1"), REF, USUALLY_FLUX))
    assert (record.architecture, record.base_model, record.conflicts) == ("flux1", "Brand New 1", ())
    assert (record.alternatives, record.to_json()["alternatives"]) == (("chroma",), ["chroma"])


def test_a_base_on_none_of_the_networks_that_the_file_fits_is_a_conflict() -> None:
    record = flatten(with_header(_lora_on("SDXL 1.0"), REF, USUALLY_FLUX))
    assert (record.architecture, record.base_model, record.conflicts) == ("flux1", None, ("architecture",))
    assert record.conflict_sentences == ("CivitAI says SDXL 1.0, the file is Chroma or FLUX.1.",)


def test_what_a_person_says_is_held_against_all_networks_that_the_file_fits() -> None:
    own = with_own_claims(_lora_on("Flux.1 D"), base_model="sdxl-1.0", trigger_words=None, weight=None)
    record = record_with_header(flatten(own), USUALLY_FLUX)
    assert (record.architecture, record.conflicts) == ("sdxl", ("architecture",))
    assert [claim.value for claim in contradicting(record.claims, "architecture")] == [("flux1", "chroma"), "flux1"]


def test_reading_a_file_again_takes_an_assumption_back() -> None:
    record = record_with_header(record_with_header(flatten(_lora_on("Brand New 1")), USUALLY_FLUX), FLUX)
    assert [claim.source for claim in record.claims if claim.field == "architecture"] == ["header"]


def test_a_record_that_has_the_claims_of_its_header_stays_as_it_is() -> None:
    record = flatten(with_header(_lora_on("SDXL 1.0"), REF, FLUX))
    assert record_with_header(record, FLUX) is record


def test_only_the_file_that_was_read_gets_its_claims() -> None:
    lora = with_header(_lora_on("Flux.1 D"), REF.at("2", "b"), FLUX)
    assert [best(file.claims, "rank") for file in lora.versions[0].files] == [None, 16]


def test_reading_a_file_again_takes_the_place_of_the_first_reading() -> None:
    again = LoraFacts(what="lora", claims=(_claim("rank", 8, "header"),))
    lora = with_header(with_header(_lora_on("Flux.1 D"), REF, FLUX), REF, again)
    assert [claim.value for claim in lora.versions[0].files[0].claims] == [8]


@pytest.mark.parametrize("ref", [REF.at("3"), REF.at("2", "c")])
def test_a_file_that_is_not_there_changes_nothing(ref: Ref) -> None:
    lora = _lora_on("Flux.1 D")
    assert with_header(lora, ref, FLUX) == lora


def test_a_record_takes_a_header_as_its_lora_does() -> None:
    lora = _lora_on("SDXL 1.0")
    assert record_with_header(flatten(lora), FLUX).to_json() == flatten(with_header(lora, REF, FLUX)).to_json()


@pytest.mark.parametrize("source", ["tag", "size", "example"])
def test_a_hint_that_contradicts_the_file_is_none(source: Source) -> None:
    assert conflicts([_claim("architecture", "flux1", "header"), _claim("architecture", "sdxl", source)]) == ()


def test_a_second_base_of_a_card_is_said_where_nothing_tells_which_one_it_is() -> None:
    names = ["black-forest-labs/FLUX.1-dev", "black-forest-labs/FLUX.2-dev"]
    card = base_model_claims({"base_model": names}, None, (), "")
    assert (best(card, "base_model"), conflicts(card)) == ("flux.1-dev", ("architecture",))
    assert sentences(card, "huggingface") == (f"The model card says {names[0]} and {names[1]}.",)
    assert conflicts([_claim("architecture", "flux2", "header"), *card]) == ()


def base_license(*claims: Claim) -> tuple[Value, Source, str] | None:
    record = flatten(_lora(*claims))
    found = best_claim(record.claims, "base_license")
    return (found.value, found.source, found.where) if found else None


def test_the_bases_licence_is_that_of_the_base_that_is_believed() -> None:
    hub, file = base_claims("SDXL 1.0", "hub", "baseModel"), base_claims("Flux.1 D", "header", "metadata")
    old = _claim("base_license", "CreativeML Open RAIL++-M")
    expected = ("FLUX.1 [dev] Non-Commercial License", "header", "licence of FLUX.1 dev")
    assert base_license(*file, *hub, old) == expected
    assert base_license(*hub, old) == ("CreativeML Open RAIL++-M", "hub", "licence of SDXL 1.0")
    # Which FLUX.1 is not known.
    assert base_license(_claim("architecture", "flux1", "header"), *hub, old) is None


@pytest.mark.parametrize(("file", "hub_says", "told"), READ["two lineages that exclude each other are a conflict"])
def test_two_lineages_that_exclude_each_other_are_a_conflict(file: str, hub_says: str, told: list[str]) -> None:
    claims = [_claim("base_model", file, "header"), *base_claims(hub_says, "hub", "baseModel")]
    assert list(sentences(claims, "civitai")) == told


def test_several_who_disagree_stand_in_one_sentence() -> None:
    claims = [_claim("rank", 4, "header"), _claim("rank", 16, "hub"), _claim("rank", 32, "card")]
    assert sentences(claims, "huggingface") == (
        "Hugging Face says rank 16 and the model card says rank 32, the file has rank 4.",
    )


def test_without_the_file_the_card_is_held_against_the_hub() -> None:
    claims = [_claim("algorithm", "lokr", "hub"), _claim("algorithm", "lora", "card")]
    assert sentences(claims, "civitai") == ("The description says lora, CivitAI says lokr.",)
    assert [claim.source for claim in contradicting(claims, "algorithm")] == ["card"]


REPO = Ref.parse("hf:a/boats@" + "1" * 40)
MODEL = Ref.parse("civitai:1")


def lora(ref: Ref, *versions: Version, architecture: str = "wan") -> Lora:
    claim = Claim(field="architecture", value=architecture, source="hub", where="baseModel")
    return Lora(ref=ref.lora, title="Boats", url="", versions=versions, claims=(claim,))


def version(ref: Ref, name: str, *files: str) -> Version:
    named = tuple(WeightFile(ref=ref.at(ref.version, file), name=f"{file}.safetensors") for file in files)
    return Version(ref=ref, name=name, files=named)


@pytest.mark.parametrize(("name", "noise"), READ["a name says which network it is for"])
def test_a_name_says_which_network_it_is_for(name: str, noise: str | None) -> None:
    assert noise_of(name) == noise


def test_two_files_of_one_version_are_a_pair_both_ways() -> None:
    boats = lora(REPO, version(REPO, "main", "boats_high_noise_v2", "boats_low_noise_v2", "other_low_noise"))
    high, low = REPO.at(REPO.version, "boats_high_noise_v2"), REPO.at(REPO.version, "boats_low_noise_v2")
    assert (other_half(boats, high), other_half(boats, low)) == (low, high)
    assert other_half(boats, REPO.at(REPO.version, "other_low_noise")) is None


def test_two_versions_of_a_model_are_a_pair_where_their_names_say_so() -> None:
    first, second = MODEL.at("2"), MODEL.at("3")
    boats = lora(MODEL, version(first, "Wan 2.2 High", "11"), version(second, "Wan 2.2 Low", "12"))
    assert other_half(boats, first.at("2", "11")) == second.at("3", "12")


def test_a_newer_pair_under_the_same_names_leaves_no_choice_to_make() -> None:
    old, new = MODEL.at("2"), MODEL.at("3")
    files = ("boats_high_noise", "boats_low_noise")
    boats = lora(MODEL, version(new, "v2", *files), version(old, "v1", *files))
    assert other_half(boats, old.at("2", "boats_high_noise")) == old.at("2", "boats_low_noise")


@pytest.mark.parametrize(("files", "architecture"), READ["anything else is whole by itself"])
def test_anything_else_is_whole_by_itself(files: tuple[str, ...], architecture: str) -> None:
    boats = lora(REPO, version(REPO, "main", *files), architecture=architecture)
    assert other_half(boats, REPO.at(REPO.version, files[0])) is None


def test_a_hubs_hash_of_the_tensors_is_believed_over_the_scripts() -> None:
    ref = Ref.parse("civitai:1@10#100")
    facts = LoraFacts(what="lora", autov3="decafdecafde")

    def read(autov3: str | None) -> str | None:
        file = WeightFile(ref=ref, name="ink.safetensors", autov3=autov3)
        version = Version(ref=ref.at("10"), name="v1", files=(file,))
        lora = Lora(ref=ref.lora, title="Ink", url="https://hub.example", versions=(version,))
        return with_header(lora, ref, facts).versions[0].files[0].autov3

    assert (read(None), read("c0ffeec0ffee")) == ("decafdecafde", "c0ffeec0ffee")
