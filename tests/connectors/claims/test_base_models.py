"""The file of base models: what is wrong in a block is said at the start, with the block and the key.

The names of models in diffusers' own source, read as if a card named them.
"""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from connectors.claims import base_models
from connectors.claims.base_models import (
    ARCHITECTURES,
    BASE_MODELS,
    BaseModel,
    base_claims,
    by_id,
    find_base_name,
    identify,
    matches,
    read_tables,
    spellings,
)
from connectors.claims.card import base_model_claims
from connectors.claims.resolve import best
from connectors.errors import UsageError
from tests.connectors.cases import read_cases
from tests.connectors.claims.base_names import base_names

READ = read_cases(__file__)

NAMES = READ["the base models that civitai listed in august 2026"]


def test_all_of_civitais_names_are_there() -> None:
    assert len(NAMES) == 99
    assert [name for name in NAMES if (found := identify(name)) is None or name not in found.civitai] == []


def test_the_recorded_table_holds_no_other_name(recordings: Path) -> None:
    table = json.loads((recordings / "civitai_basemodel_table_from_source_2026-08.json").read_text())
    assert sorted(row["name"] for row in table) == sorted(NAMES)


@pytest.mark.parametrize(("name", "model"), base_names("name"))
def test_every_spelling_leads_to_one_base_model(name: str, model: str) -> None:
    found = identify(name)
    assert found is not None
    assert found.id == model


@pytest.mark.parametrize(
    "name", ["", "FLUX.2 Klein", "meta-llama/Llama-3", "Qwen/Qwen3-0.6B", "/", "-", "someone/-fp8", "pixel-art-style"]
)
def test_an_unlisted_name_is_not_guessed(name: str) -> None:
    assert identify(name) is None


def test_no_two_base_models_share_an_id_or_a_hubs_spelling() -> None:
    models = BASE_MODELS
    names = [base_models.spelling_key(name) for model in models for name in {*model.civitai, *model.repos, *model.also}]
    assert len({model.id for model in models}) == len(models)
    assert len(set(names)) == len(names)


def test_every_architecture_has_a_name_for_people() -> None:
    used = {model.architecture for model in BASE_MODELS if model.architecture}
    assert used == set(ARCHITECTURES)
    assert [name for name in used if re.fullmatch(r"[a-z0-9.-]+", name) is None] == []


@pytest.mark.parametrize("model", ["pony", "illustrious", "noobai", "kolors", "sdxl-lightning", "animagine-xl"])
def test_lineages_of_sdxl_share_its_architecture(model: str) -> None:
    found = by_id(model)
    assert found is not None
    assert found.architecture == "sdxl"


@pytest.mark.parametrize(("wanted", "names"), READ["a filter is spelled as civitai spells it"])
def test_a_filter_is_spelled_as_civitai_spells_it(wanted: str, names: list[str]) -> None:
    assert list(spellings(wanted, "civitai")) == names


def test_a_filter_is_spelled_as_a_repo_for_hugging_face() -> None:
    assert spellings("flux.2-dev", "huggingface") == ("black-forest-labs/FLUX.2-dev",)
    assert spellings("qwen-image-2", "huggingface") == ("Qwen/Qwen-Image-2.1", "Qwen/Qwen-Image-2.0")


def test_a_known_name_claims_base_architecture_and_the_word_itself() -> None:
    claims = base_claims("Pony", "hub", "baseModel")
    assert {claim.field: claim.value for claim in claims} == {
        "raw_base_model": "Pony",
        "base_model": "pony",
        "architecture": "sdxl",
    }


def test_an_unlisted_name_passes_through_without_an_architecture() -> None:
    claims = base_claims("Halcyon 2", "hub", "baseModel")
    assert (best(claims, "base_model"), best(claims, "architecture")) == ("Halcyon 2", None)


@pytest.mark.parametrize(("wanted", "found"), READ["a base is found by id architecture or name"])
def test_a_base_is_found_by_id_architecture_or_name(wanted: list[str], found: bool) -> None:
    assert matches("pony", "sdxl", "Pony", tuple(wanted)) is found


@pytest.mark.parametrize(("text", "base"), base_names("words"))
def test_a_name_tells_a_base_model_in_passing(text: str, base: str | None) -> None:
    found = find_base_name(text)
    assert (found[0] if found else None) == base


# Versions that nobody has listed, in the families of the table.
NOT_LISTED = (
    "Qwen-Image-2.2-fox Qwen-Image-4 Qwen-Image-2605 Qwen-Image-Edit-3 Qwen-Image-Edit-2603 Qwen-Image-Layered-2 "
    "FLUX.4-dev flux-4-klein FLUX1.1-pro flux-v3 HunyuanImage-3.0 HunyuanVideo-2 LTX-3 LTX-2.7-22b Wan3.0-T2V "
    "wan-2.5-fox HiDream-I2-Full HiDream-O2 HiDream-X1 sdxl-2.0 sd4-fox stable-diffusion-5 krea-3 ideogram-5 "
    "minimax-h4 cosmos-predict3 Z-Image-2-fox z-image-turbo-2 GLM-Image-2 kandinsky-7 ace-step-v2 Ovis-Image-2"
)


@pytest.mark.parametrize("name", NOT_LISTED.split())
def test_a_version_that_nobody_has_listed_is_unknown_not_the_nearest(name: str) -> None:
    claims = base_model_claims({"base_model": f"someone/{name}"}, None, (), "")
    assert (best(claims, "base_model"), best(claims, "architecture")) == (f"someone/{name}", None)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", ["flux" * 50_000, "flux2 klein " * 20_000, "wan" * 60_000])
def test_a_text_made_to_be_slow_does_not_hang(text: str) -> None:
    find_base_name(text)


FILE = Path(__file__).with_name("new_base.toml").read_text(encoding="utf-8")


def test_a_block_is_a_base_model_with_its_pipelines_as_they_are_written() -> None:
    tables = read_tables(FILE)
    assert tables.models == (BaseModel(id="new-1", label="New 1", architecture="new", repos=("someone/new-1",)),)
    assert tables.pipelines == ((tables.models[0], ({"id": "new-1-turbo"},)),)
    assert tables.architectures["new"].network[0].blocks == {"blocks": 12}


@pytest.mark.parametrize(
    ("right", "wrong", "message"), READ["what is wrong in a block is said with the block and the key"]
)
def test_what_is_wrong_in_a_block_is_said_with_the_block_and_the_key(right: str, wrong: str, message: str) -> None:
    assert right in FILE
    with pytest.raises(UsageError) as raised:
        read_tables(FILE.replace(right, wrong))
    assert message in str(raised.value)


_REPO = re.compile(r"(?<![\w./-])[A-Za-z][\w-]*/[A-Za-z][\w.-]*\w")
# What stands right behind a family's name: "2.1", "v1-4". No size ("9b"), resolution or date.
_NUMBER = r"[-_. ]?v?(\d[-.]\d|\d{1,2}(?:[.]\d{1,2})?)(?![.]?\d|[bkmp](?![a-z]))"


def _repos() -> set[str]:
    """Of docstrings, examples, conversion code and defaults in the package that is installed."""
    spec = find_spec("diffusers")
    assert spec is not None
    assert spec.submodule_search_locations
    files = Path(spec.submodule_search_locations[0]).rglob("*.py")
    return {
        name for file in files for name in _REPO.findall(file.read_text(encoding="utf-8")) if re.search(r"\d", name)
    }


def _family(base: BaseModel) -> str:
    """The id up to its version, however its words are joined."""
    words = re.split(r"[-.]?\d", base.id)[0].replace("-", r"[-_ ]?")
    return r"(?:sd|stable[-_ ]diffusion)" if words == "sd" else words


def _digits(number: str) -> str:
    return re.sub(r"[.-]0$", "", number).replace(".", "").replace("-", "")


def _contradiction(repo: str) -> str | None:
    base = by_id(str(best(base_model_claims({"base_model": repo}, None, (), ""), "base_model")))
    found = re.search(_family(base) + _NUMBER, repo.rpartition("/")[2], re.IGNORECASE) if base else None
    if base is None or found is None:
        return None
    names = " ".join((base.id, base.label, *base.civitai, *base.aliases))
    numbers = {_digits(number) for number in re.findall(r"\d+(?:[.]\d+)?", names)}
    # A base without a number has those of its repos.
    known = numbers | {"1"} if numbers or not identify(repo) else {_digits(found[1])}
    number = _digits(found[1])
    return None if number in known else f"{repo} is {number}, and was read as {base.id}"


def test_no_name_in_diffusers_source_is_read_as_another_version() -> None:
    repos = _repos()
    read = {found.id for repo in repos if (found := identify(repo))}
    assert {"flux.1-dev", "flux.3", "qwen-image-2", "ltx-2.5"} <= read
    assert [wrong for repo in sorted(repos) if (wrong := _contradiction(repo))] == []
