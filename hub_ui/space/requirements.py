"""requirements.txt of a Space: what the installed hub-ui needs, at the versions that are installed beside it."""

from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from connectors.errors import UsageError

# Of ZeroGPU, newest first. Source: hub-docs, docs/hub/spaces-zerogpu.md.
ZERO_GPU_TORCH = ("2.11.0", "2.10.0", "2.9.1", "2.8.0")
# Each torch has a torchvision of its own, which pip finds; and ZeroGPU has its own version of spaces.
_NEVER_PINNED = ("torchvision", "spaces")
# Beside what every page needs: sign-in, and the GPU of ZeroGPU. Spaces has both at hand.
_OF_SPACES = ("gradio[oauth]", "spaces")


def read_requirements(extras: Iterable[str] = ()) -> tuple[Requirement, ...]:
    """What the installed hub-ui declares for this Python. Raises UsageError in a checkout that is not installed."""
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
    """Without a part such as "+cpu", which no index has."""
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
    """Lines of requirements.txt, sorted. What is not installed here stays a range."""
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
