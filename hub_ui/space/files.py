"""Create or update a Space: its repo, variables, secrets and hardware.

A Space runs `app.py`. The repo also contains hub-ui itself, which is not on PyPI. requirements.txt pins the
requirements of the installed hub-ui to their installed versions. A push without changes makes no commit.
"""

import io
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, SpaceInfo
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.utils.tqdm import disable_progress_bars
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import connectors
import hub_ui
from connectors.claims.card import split_card
from connectors.errors import KeyRequired, UsageError
from connectors.http.errors import REFUSALS, huggingface_error, map_huggingface_errors
from hub_ui.library.lockfile import Entry

APP = "app.py"
CARD = "README.md"
REQUIREMENTS = "requirements.txt"
# Additional files, by the variables that name them.
NAMED = {"HUB_UI_SHARED_LOCK": "loras.lock", "HUB_UI_SNAPSHOT": "catalog.jsonl.zst"}
# A repo with this file was pushed by hub-ui.
MARK = "hub_ui/space/files.py"
# The hub's file with git's rules for large files.
OF_THE_HUB = ".gitattributes"
ZERO_GPU = "zero-a10g"

_HERE = Path(__file__).parent
_PACKAGES = (connectors, hub_ui)
# Files that only the demo's local hubs serve. The tiny base model is pushed, so that visitors can try it.
_NOT_PUSHED = (
    "hub_ui/demo/build/",
    "hub_ui/demo/data/samples/",
    "hub_ui/demo/data/weights/loras",
    "hub_ui/demo/data/weights/pictures/",
)
# The versions that ZeroGPU supports, newest first. Source: hub-docs, docs/hub/spaces-zerogpu.md.
ZERO_GPU_TORCH = ("2.11.0", "2.10.0", "2.9.1", "2.8.0")
# pip finds the torchvision that fits torch, and ZeroGPU installs its own version of spaces.
_NEVER_PINNED = ("torchvision", "spaces")
# Additional packages for signing in and for ZeroGPU.
_OF_SPACES = ("gradio[oauth]", "spaces")


@dataclass(frozen=True, kw_only=True)
class SpaceContent:
    """The variable parts of a Space's repo.

    `preload` are the lines of the card's `preload_from_hub`, `models` the repos that the Space's page links to, and
    `named` the files of NAMED by their variables.
    """

    title: str
    version: str
    gradio: str
    hardware: str
    requirements: Sequence[str]
    preload: Sequence[str] = ()
    models: Sequence[str] = ()
    named: Mapping[str, bytes] = field(default_factory=dict)


def space_files(content: SpaceContent) -> dict[str, bytes]:
    """Return all files of the repo by path. The same content gives the same bytes."""
    files = {
        APP: _HERE.joinpath("app.txt").read_bytes(),
        CARD: card(content).encode(),
        REQUIREMENTS: "\n".join([*content.requirements, ""]).encode(),
        **{path: file.read_bytes() for path, file in package_files()},
        **{NAMED[variable]: data for variable, data in content.named.items()},
    }
    return dict(sorted(files.items()))


def package_files() -> Iterator[tuple[str, Path]]:
    """Yield path and file of the installed packages, except the files of the demo's local hubs."""
    for package in _PACKAGES:
        folder = Path(str(package.__file__)).parent
        for file in sorted(folder.rglob("*")):
            path = f"{folder.name}/{file.relative_to(folder).as_posix()}"
            hidden = any(part.startswith((".", "__pycache__")) for part in path.split("/"))
            if file.is_file() and not hidden and not path.startswith(_NOT_PUSHED):
                yield path, file


def card(content: SpaceContent) -> str:
    """Return README.md with the settings that Spaces reads.

    Source: hub-docs, docs/hub/spaces-config-reference.md. Spaces uses Python 3.10 by default.
    """
    settings, text = split_card(_HERE.joinpath("card.md").read_text(encoding="utf-8"))
    data = {
        **settings,
        "title": content.title,
        "sdk_version": content.gradio,
        "suggested_hardware": content.hardware,
        **({"models": list(content.models)} if content.models else {}),
        **({"preload_from_hub": list(content.preload)} if content.preload else {}),
    }
    front = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{front}---\n{text.format(title=content.title, version=content.version)}"


def preload_lines(files: Iterable[tuple[str, str, str]]) -> tuple[str, ...]:
    """Return lines `OWNER/NAME FILE,FILE COMMIT` for (repo, file, commit) tuples.

    Files with a space or a comma in the name are left out, because the format can't express them.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for repo, file, commit in files:
        if not {" ", ","} & set(file):
            found.setdefault((repo, commit), []).append(file)
    return tuple(f"{repo} {','.join(sorted(set(names)))} {commit}" for (repo, commit), names in sorted(found.items()))


def files_of_lock(entries: Iterable[Entry]) -> list[tuple[str, str, str]]:
    """Return (repo, file, commit) for each LoRA from Hugging Face."""
    refs = (entry.ref for entry in entries if entry.ref.hub == "huggingface")
    return [(ref.id, ref.file, ref.version) for ref in refs if ref.file and ref.version]


def read_requirements(extras: Iterable[str] = ()) -> tuple[Requirement, ...]:
    """Return the requirements of the installed hub-ui for this Python. Raises UsageError if it is not installed."""
    try:
        declared = [Requirement(line) for line in requires("hub-ui") or ()]
    except PackageNotFoundError as error:
        raise UsageError(
            "hub-ui is not installed here, so what it requires is not known. Install it: pip install ."
        ) from error
    chosen = ("", *extras)
    return tuple(
        each
        for each in declared
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in chosen)
    )


def version_here(name: str) -> str | None:
    """Return the installed version without a local part such as "+cpu", which PyPI doesn't have, or None."""
    try:
        return Version(version(name)).public
    except PackageNotFoundError:
        return None


def pin_requirements(
    declared: Sequence[Requirement],
    *,
    zero_gpu: bool,
    installed: Callable[[str], str | None] = version_here,
) -> tuple[str, ...]:
    """Return sorted lines of requirements.txt. Packages that are not installed here keep their range."""
    lines: dict[str, str] = {}
    for each in (*declared, *map(Requirement, _OF_SPACES)):
        name = str(canonicalize_name(each.name))
        pinned = installed(name)
        if name == "torch" and zero_gpu and pinned not in ZERO_GPU_TORCH:
            pinned = next((one for one in ZERO_GPU_TORCH if each.specifier.contains(one)), None)
        before = Requirement(lines[name]).extras if name in lines else set()
        extras = f"[{','.join(sorted(before | each.extras))}]" if before | each.extras else ""
        rest = str(each.specifier) if pinned is None or name in _NEVER_PINNED else f"=={pinned}"
        lines[name] = f"{name}{extras}{rest}"
    return tuple(lines[name] for name in sorted(lines))


def open_api(endpoint: str, token: str | None) -> HfApi:
    """Return a client that may write. Raises KeyRequired without a token."""
    if not token:
        raise KeyRequired(
            "A Space belongs to an account of Hugging Face. Make a key that may write at "
            "https://huggingface.co/settings/tokens, and set HF_TOKEN to it.",
            hub="huggingface",
        )
    # Silence huggingface_hub, because the command prints its own progress.
    disable_progress_bars()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    return HfApi(endpoint=endpoint, token=token)


def find_space(api: HfApi, name: str) -> SpaceInfo | None:
    """Return the Space, or None if it does not exist.

    Raises UsageError for a Space that hub-ui did not push, because a push would delete its files.
    """
    with push_errors(api, name):
        try:
            found = api.space_info(name)
        except RepositoryNotFoundError:
            return None
    paths = {each.rfilename for each in found.siblings or ()}
    if found.sdk != "gradio":
        raise UsageError(f"{name} is a Space of another kind already ({found.sdk}). Choose another name.")
    if MARK not in paths and paths - {CARD, OF_THE_HUB}:
        raise UsageError(
            f"{name} is the Space of another app, whose files would be lost. Choose another name, or delete it first."
        )
    return found


def push_space(
    api: HfApi,
    name: str,
    found: SpaceInfo | None,
    files: Mapping[str, bytes],
    *,
    variables: Mapping[str, str],
    secrets: Mapping[str, str],
    private: bool = False,
    hardware: str | None = None,
) -> dict[str, Any]:
    """Push the files to a Space, and return the output of `hub-ui space --json`.

    `found` is the result of find_space. Settings are written first, so that the new commit starts with them. With
    `hardware` None the Space keeps its hardware. Secrets are never part of a message or a file. In the output, `commit`
    is None if no file changed, and `variables` are the changed ones.
    """
    with push_errors(api, name):
        if found is None:
            api.create_repo(
                name,
                repo_type="space",
                space_sdk="gradio",
                private=private or None,
                space_hardware=hardware,  # type: ignore[arg-type]
            )
        elif private and not found.private:
            api.update_repo_settings(name, private=True, repo_type="space")
        changed = _set_variables(api, name, variables)
        for key, value in secrets.items():
            api.add_space_secret(name, key, value)
        commit, removed = _commit(api, name, files)
        runtime = api.get_space_runtime(name)
        if hardware and runtime.requested_hardware != hardware:
            runtime = api.request_space_hardware(name, hardware)  # type: ignore[arg-type]
    return {
        "url": f"{api.endpoint}/spaces/{name}", "created": found is None, "commit": commit, "removed": removed,
        "variables": changed, "secrets": sorted(secrets), "hardware": runtime.requested_hardware,
    }  # fmt: skip


def _set_variables(api: HfApi, name: str, wanted: Mapping[str, str]) -> tuple[str, ...]:
    """Set the wanted variables, and delete variables of NAMED whose file is not pushed. Return the changed names.

    Unchanged variables are not written, because each write restarts the Space.
    """
    known = {key: each.value for key, each in api.get_space_variables(name).items()}
    changed = [key for key, value in wanted.items() if known.get(key) != value]
    gone = [key for key in NAMED if key in known and key not in wanted]
    for key in changed:
        api.add_space_variable(name, key, wanted[key])
    for key in gone:
        api.delete_space_variable(name, key)
    return tuple(sorted((*changed, *gone)))


def _commit(api: HfApi, name: str, files: Mapping[str, bytes]) -> tuple[str | None, tuple[str, ...]]:
    before = api.space_info(name)
    there = {each.rfilename for each in before.siblings or ()}
    removed = tuple(sorted(there - files.keys() - {OF_THE_HUB}))
    # huggingface_hub uploads file objects by LFS, but bytes by Xet, which not every hub supports.
    added = [CommitOperationAdd(path, io.BytesIO(data)) for path, data in files.items()]
    done = api.create_commit(
        name,
        [*added, *map(CommitOperationDelete, removed)],
        commit_message="Push hub-ui",
        repo_type="space",
        parent_commit=before.sha,
    )
    return (None if done.oid == before.sha else done.oid), removed


def open_repos(endpoint: str, repos: Iterable[str]) -> set[str]:
    """Return the repos that anyone may download. Only these can be preloaded, because Spaces uses no token."""
    api, found = HfApi(endpoint=endpoint, token=False), set[str]()
    for repo in dict.fromkeys(repos):
        with map_huggingface_errors(repo), suppress(RepositoryNotFoundError):
            if not api.model_info(repo).gated:
                found.add(repo)
    return found


@contextmanager
def push_errors(api: HfApi, name: str) -> Iterator[None]:
    """Map the errors of huggingface_hub while writing to our errors."""
    what = f"the Space {name}"
    with map_huggingface_errors(what, endpoint=str(api.endpoint)):
        try:
            yield
        except HfHubHTTPError as error:
            row = next((row for row in REFUSALS["huggingface_writing"] if row.matches(error.response, "")), None)
            # The hub also answers 401 for a hidden Space.
            if row is None or (row.error is KeyRequired and isinstance(error, RepositoryNotFoundError)):
                raise
            detail = " ".join(str(error.server_message or "").split())[:400]
            raise row.error(row.message.format(what=name, detail=detail), hub="huggingface") from error
        except RuntimeError as error:
            # An upload that failed: the cause says why.
            if not isinstance(error.__cause__, Exception):
                raise
            raise huggingface_error(error.__cause__, what, endpoint=str(api.endpoint)) from error
