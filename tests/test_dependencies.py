"""What pyproject.toml asks for is imported, or needed by something that is."""

import re
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec

import pytest
from packaging.requirements import Requirement

from tests.architecture.sources import imports, read_sources
from tests.test_docker import PROJECT

# diffusers and transformers import most of these themselves, once a base model needs them; saved_settings.py loads one
# by its name.
NEEDED_BY_OTHERS = {
    "ftfy": "prompts of Wan's pipelines",
    "gguf": "diffusers' reading of GGUF files",
    "httptools": "uvicorn's faster reading of requests",
    "keyring": "keys of hubs where the operating system keeps them",
    "protobuf": "transformers' tokenizers that come as SentencePiece models",
    "sentencepiece": "tokenizers of Kolors and PixArt",
    "torchvision": "image processors of FLUX.2 and Anima",
}
# The last version with a known fault, and what it was.
FAULTS = {
    "diffusers": ("0.42.0", "a repo's pipeline runs its own code (GHSA-4prv-5hj7-c2xr)"),
    "filelock": ("4.2.0", "links and named pipes in place of a lock file (CVE-2025-68146, CVE-2026-112934)"),
    "jinja2": ("3.1.5", "a template gets out of its sandbox (CVE-2025-27516)"),
    "nh3": ("0.3.0", "markup survives the cleaning of SVG and MathML (RUSTSEC-2025-0071)"),
    "opencv-python-headless": ("4.11.0.86", "a JPEG reads memory that was never written (CVE-2025-53644)"),
    "pillow": ("12.2.0", "images write outside their memory (CVE-2026-59199, CVE-2026-59205)"),
    "protobuf": ("6.33.4", "nested messages without end (CVE-2025-4565, CVE-2026-0994)"),
    "ray": ("2.55.0", "browsers and archives run code (CVE-2025-62593, CVE-2026-57516)"),
    "requests": ("2.32.5", "somebody else's file in the temporary folder (CVE-2026-25645)"),
    "sentencepiece": ("0.2.0", "a model file reads outside of its memory (CVE-2026-1260)"),
    "starlette": ("1.5.0", "hosts, forms and ranges without limits (CVE-2026-48710, PYSEC-2026-249)"),
    "torch": ("2.10.0", "weights run code, also where weights alone are asked for (CVE-2026-24747, CVE-2026-4538)"),
    "transformers": ("4.57.6", "configurations run code (PYSEC-2025-216, PYSEC-2025-217)"),
    "urllib3": ("2.6.3", "answers unpack to any size, and keys follow a redirect (CVE-2026-44432, CVE-2026-44431)"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_no_version_with_a_known_fault_is_allowed(name: str) -> None:
    ranges = [one.specifier for one in requirements() if normal(one.name) == name]
    assert ranges != []
    assert [one for one in ranges if one.contains(FAULTS[name][0])] == []


def test_dependencies_are_ranges_that_what_is_installed_is_in() -> None:
    here = [one for one in requirements() if one.name != "bitsandbytes" or find_spec("bitsandbytes")]
    assert [str(one) for one in here if not one.specifier.contains(version(one.name), prereleases=True)] == []
    assert [str(one) for one in here if any(part.operator in ("==", "===", "~=") for part in one.specifier)] == []


def test_every_dependency_is_imported_or_needed_by_one_that_is() -> None:
    wanted = {normal(Requirement(line).name) for line in PROJECT["dependencies"]}
    homes, modules = packages_distributions(), {each.package for source in read_sources() for each in imports(source)}
    used = {normal(name) for module in modules for name in homes.get(module, [])}
    assert wanted - used == set(NEEDED_BY_OTHERS)


def requirements() -> list[Requirement]:
    """Of the package and all of its extras."""
    extras = PROJECT["optional-dependencies"].values()
    return [Requirement(line) for lines in (PROJECT["dependencies"], *extras) for line in lines]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
