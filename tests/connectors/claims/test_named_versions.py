"""The names of models in diffusers' own source, read as if a card named them."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from connectors.claims.base_models import BaseModel, by_id, identify
from connectors.claims.card import base_model_claims
from connectors.claims.resolve import best

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
