"""`python -m tests.tools.accuracy.taxonomy FOLDER...`: base models that trainers name, and which are unknown.

The folders hold checked-out sources, as of diffusers, kohya-ss/sd-scripts, musubi-tuner, ai-toolkit or OneTrainer. Read
are Hugging Face repos that code or documentation loads a model from, and the words that a trainer writes into a file's
metadata as ss_base_model_version or modelspec.architecture. Not every repo is a base model: encoders, LoRAs and data
sets are for a person to leave out.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from connectors.claims.base_models import identify
from connectors.weights.training_metadata import base_of

Kind = Literal["repo", "ss_base_model_version", "modelspec.architecture"]
_ENDINGS = (".py", ".md", ".mdx", ".sh", ".yaml", ".yml", ".toml", ".json", ".ts", ".tsx")
# Configurations and documentation; data sets and tokenizers take far more.
_LARGEST = 1_000_000
_REPO = r"(?P<name>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*\w)"
_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("repo", re.compile(rf"huggingface\.co/(?!docs/|datasets/|spaces/|papers/|blog/|api/|collections/){_REPO}")),
    # A quoted repo right after a word that says that a model is loaded from it.
    (
        "repo",
        re.compile(
            r"(?:from_pretrained\(|name_or_path|model_id|repo_id|model_name|base_model|MODEL_NAME|MODEL_ID|model_path"
            rf"|checkpoint|huggingface_hub|pretrained\w*)[\w\s\"'\]:=(,-]{{0,30}}?[\"'\s=]{_REPO}(?=[\"'\s\\)]|$)"
        ),
    ),
    # A table of a model's flavours.
    ("repo", re.compile(rf"^\s*[\"'][\w. -]+[\"']: [\"']{_REPO}[\"'],?$", re.M)),
    ("ss_base_model_version", re.compile(r"(?:MODEL_VERSION_\w+|ARCHITECTURE_\w+_FULL) = \"(?P<name>[^\"]+)\"")),
    ("ss_base_model_version", re.compile(r"def get_base_model_version\(.{0,200}?return [\"'](?P<name>[^\"']+)", re.S)),
    ("ss_base_model_version", re.compile(r"^    arch = [\"'](?P<name>[^\"']+)[\"']$", re.M)),
    ("modelspec.architecture", re.compile(r"\"modelspec\.architecture\": *\"(?P<name>[^\"]+)\"")),
    ("modelspec.architecture", re.compile(r"^ARCH_\w+ = \"(?P<name>[^\"]+)\"", re.M)),
)
# A path in a repository or on a disk, which looks the same.
_NO_REPO = re.compile(
    r"\.(?:safetensors|py|json|md|png|jpe?g|mp4|txt|pt|pth|bin|ckpt|ya?ml|toml|sh|gif|webp|wav|mp3|html)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Name:
    kind: Kind
    text: str

    @property
    def is_known(self) -> bool:
        if self.kind == "repo":
            return identify(self.text) is not None
        return base_of(self.kind, self.text) is not None


def names_in(text: str) -> Iterator[Name]:
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if kind != "repo" or not _NO_REPO.search(match["name"]):
                yield Name(kind=kind, text=match["name"])


def names_below(folders: Iterable[Path]) -> Mapping[Name, int]:
    """Every name, and in how many files it stands."""
    counts: Counter[Name] = Counter()
    for folder in folders:
        for path in folder.rglob("*"):
            if path.suffix in _ENDINGS and path.is_file() and path.stat().st_size <= _LARGEST:
                counts.update(set(names_in(path.read_text(encoding="utf-8", errors="replace"))))
    return counts


def report(counts: Mapping[Name, int]) -> list[str]:
    """A line for each kind of name, then the unknown ones, those that most files name first."""
    lines = []
    for kind in ("repo", "ss_base_model_version", "modelspec.architecture"):
        named = [name for name in counts if name.kind == kind]
        lines.append(f"{kind}: {sum(name.is_known for name in named)} of {len(named)} known")
    unknown = sorted((-count, name) for name, count in counts.items() if not name.is_known)
    return [*lines, "", *(f"{-count:>5}  {name.kind}  {name.text}" for count, name in unknown)]


def main() -> int:
    folders = [Path(text) for text in sys.argv[1:]]
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing or not folders:
        print(f"No such folder: {missing[0]}" if missing else __doc__)
        return 2
    print(*report(names_below(folders)), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
