"""Chooses the base model for a LoRA: one of its own lineage if we know one, else the main one of its architecture."""

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from connectors.claims import base_models as taxonomy
from connectors.errors import DoesNotFit, HubUiError, NoBase, UsageError, suggestion
from connectors.weights.file_type import WORDS, structure_of
from connectors.weights.gguf_header import read_gguf_header
from connectors.weights.header import FileReader, Header, Readable, Tensor, read_header
from hub_ui.base.i18n import _
from hub_ui.generate.base_models import repo_layout, table

_FILE = tomllib.loads(Path(__file__).with_name("checkpoints.toml").read_text(encoding="utf-8"))
# The beginnings of names that are of other parts than the network.
_OTHER_PARTS = (*_FILE["parts"], *(start for parts in _FILE["parts_of"].values() for start in parts))


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointFacts:
    """`brings` are the parts of a pipeline whose weights are in the file.

    `size` is the id of a base of the same width, where widths differ within an architecture. `guided` is true for FLUX
    with a guidance input (dev), `velocity` for a Stable Diffusion that predicts velocity. `precision` is an id of
    PRECISIONS.
    """

    architecture: str
    brings: frozenset[str]
    size: str | None = None
    guided: bool = True
    velocity: bool = False
    precision: str = "full"


def identify_checkpoint(path: Path) -> CheckpointFacts:
    """Raises NoBase with the reason when a file is no base."""
    read = _READERS.get(path.suffix.lower())
    if read is None:
        text = _(
            "{name} is no safetensors file and no GGUF file. Pickled checkpoints (.ckpt, .pt, .bin) can "
            "run code and are not loaded. Look for a .safetensors version."
        )
        raise NoBase(text.format(name=path.name))
    try:
        with path.open("rb") as file:
            header = read(FileReader(file))
    except OSError as error:
        text = _("{path} can't be read: {value}. Check the name.")
        raise NoBase(text.format(path=path, value=error.strerror or error)) from error
    except HubUiError as error:
        text = _("{name} can't be used as a base: {message}")
        raise NoBase(text.format(name=path.name, message=error.message)) from error
    facts = identify_header(header, path.name)
    if read is read_header:
        return facts
    if facts.brings != {"transformer"}:
        text = _("GGUF files of {architecture} can't be read. Choose a version in safetensors.")
        raise NoBase(text.format(architecture=facts.architecture))
    return replace(facts, precision=_precision_of_types(header))


def _precision_of_types(header: Header) -> str:
    """That of the type which most bytes of the file have."""
    sizes: Counter[str] = Counter()
    for tensor in header.tensors.values():
        sizes[tensor.dtype] += tensor.data_offsets[1] - tensor.data_offsets[0]
    name = f"gguf-{sizes.most_common(1)[0][0].lower()}"
    known = [precision.id for precision in table.PRECISIONS if precision.id.startswith(name)]
    return known[0] if known else "gguf"


def identify_header(header: Header, name: str) -> CheckpointFacts:
    tensors, what = header.tensors, structure_of(header.tensors).what
    if what == "lora":
        text = _(
            "{name} is a LoRA: it changes a base model and is none itself. Leave --base out, or name the "
            "model it goes on."
        )
        raise NoBase(text.format(name=name))
    if what not in ("checkpoint", "diffusion-model"):
        text = _("{name} is {words}, not a base model. Choose a checkpoint.")
        raise NoBase(text.format(name=name, words=WORDS[what]))
    if any(tensor.endswith(tuple(_FILE["packed"])) for tensor in tensors):
        text = _("{name} is packed for another program (quantised). Choose a version in bf16 or fp16.")
        raise NoBase(text.format(name=name))
    found = structure_of(_lora_of_all_layers(tensors))
    # A whole model has all layers, so what is only usual for some of them is no answer here.
    left = found.architectures
    if len(left) > 1:
        learned = {name: re.compile(_FILE["learned"][name]) for name in left if name in _FILE["learned"]}
        left = tuple(name for name, pattern in learned.items() if any(map(pattern.search, tensors)))
    if len(left) != 1:
        text = _(
            "It can't be told which architecture {name} has; it may be newer than this program. Choose "
            "another base, or one in diffusers' layout (--base FOLDER)."
        )
        raise NoBase(text.format(name=name))
    architecture = left[0]
    prefixes = {**_FILE["parts"], **_FILE["parts_of"].get(architecture, {})}
    parts = {part for start, part in prefixes.items() if any(tensor.startswith(start) for tensor in tensors)}
    return CheckpointFacts(
        architecture=architecture,
        brings=frozenset({"unet" if architecture in _FILE["unets"] else "transformer", *parts}),
        size=found.size,
        guided=any("guidance_in." in tensor or "guidance_embedder." in tensor for tensor in tensors),
        velocity="v_pred" in tensors,
    )


def _lora_of_all_layers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The header of a LoRA for all layers of the model, so that the rules for LoRAs identify the model too."""
    halves: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        prefix = next((start for start in _FILE["network"] if name.startswith(start)), "")
        of_another_part = not prefix and name.startswith(_OTHER_PARTS)
        if of_another_part or not name.endswith(".weight") or len(tensor.shape) not in (2, 4):
            continue
        layer = f"diffusion_model.{name.removeprefix(prefix).removesuffix('.weight')}"
        outputs, *inputs = tensor.shape
        up = (outputs, 1, *(1 for _ in inputs[1:]))
        halves[f"{layer}.lora_A.weight"] = Tensor(dtype="F16", shape=(1, *inputs))
        halves[f"{layer}.lora_B.weight"] = Tensor(dtype="F16", shape=up)
    return halves


_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[\w.-]{1,96}")
_READERS: Mapping[str, Callable[[Readable], Header]] = {".safetensors": read_header, ".gguf": read_gguf_header}


def choose_base(architecture: str | None, base_model: str | None, asked: str | None) -> table.PipelineSpec:
    """`asked` is the user's own choice. Raises DoesNotFit if its architecture differs, NoBase if there is no base."""
    # The first of a lineage: Krea 2's LoRAs are for its Turbo, not for the model of the lineage's own name.
    own = next((base for base in table.BASES if base.lineage == base_model), None) or base_by_id(base_model)
    architecture = architecture or (own.architecture if own else None)
    if asked:
        spec = _find_base(asked, architecture)
        _check_architecture(spec.label, spec.architecture, architecture)
        check_substitution(spec, base_model)
        return spec
    if architecture is None:
        text = _(
            "Nothing says which base model this LoRA was made for. Choose one yourself, such as sdxl-1.0 (--base on "
            "the command line)."
        )
        if base_model:
            text = _(
                "This LoRA was made for “{base}”, which is none of the base models known here. Choose one yourself, "
                "such as sdxl-1.0 (--base on the command line)."
            )
        raise NoBase(text.format(base=base_model))
    if own is not None and own.architecture == architecture:
        return own
    if not (bases := bases_for_architecture(architecture)):
        made_for = base_model or architecture
        row = _substitution(made_for)
        reason = "" if row is table.OTHER_LINEAGE else _(row.reason).format(made_for=taxonomy.label(made_for))
        text = _("There is no base model here that can generate with LoRAs for {architecture}.")
        rest = _("It can be downloaded and used in another program.")
        raise NoBase(" ".join(filter(None, (text.format(architecture=architecture), reason, rest))))
    check_substitution(bases[0], base_model)
    return bases[0]


def check_substitution(spec: table.PipelineSpec, base_model: str | None) -> None:
    """Raises DoesNotFit where a LoRA for `base_model` is not run on this base."""
    if base_model and _replaces(spec, base_model) and not _substitution(base_model).runs and base_by_id(spec.id):
        reason = _reason(spec, base_model)
        text = _(
            "This LoRA does not run on {base}. {reason} Use it in another program, or with a base of its own (--base)."
        )
        raise DoesNotFit(text.format(base=spec.label, reason=reason))


def substitution_note(spec: table.PipelineSpec, title: str, base_model: str | None) -> str:
    """What there is to say of a LoRA on a base that it was not made for; empty where it was, as far as is known."""
    if not base_model or not _replaces(spec, base_model):
        return ""
    made_for = taxonomy.label(base_model)
    if base_by_id(spec.id) is None:
        # A user's own base may be anything.
        text = _("“{title}” was made for {made_for}, and nothing says whether {base} is that model.")
        is_listed = _substitution(base_model) is not table.OTHER_LINEAGE
        return text.format(title=title, made_for=made_for, base=spec.label) if is_listed else ""
    text = _("“{title}” was made for {made_for}, and runs on {base}. {reason}")
    return text.format(title=title, made_for=made_for, base=spec.label, reason=_reason(spec, base_model))


def _replaces(spec: table.PipelineSpec, base_model: str) -> bool:
    """Whether the base is another model of the same architecture."""
    made_for, listed = taxonomy.by_id(base_model), base_by_id(spec.id)
    own = {listed.lineage, listed.id} if listed else {getattr(taxonomy.identify(spec.id), "id", None)}
    return base_model not in own and (made_for is None or made_for.architecture in (None, spec.architecture))


def _substitution(base_model: str | None) -> table.Substitution:
    return next((row for row in table.SUBSTITUTIONS if base_model in row.made_for), table.OTHER_LINEAGE)


def _reason(spec: table.PipelineSpec, base_model: str) -> str:
    return _(_substitution(base_model).reason).format(made_for=taxonomy.label(base_model), base=spec.label)


def bases_for_architecture(architecture: str | None) -> tuple[table.PipelineSpec, ...]:
    """The bases to choose from, the default first; all of them while the architecture is unknown."""
    return tuple(base for base in table.BASES if architecture in (None, base.architecture))


def base_by_id(name: str | None) -> table.PipelineSpec | None:
    return next((base for base in table.BASES if base.id == name), None)


def _check_architecture(label: str, architecture: str, of_lora: str | None) -> None:
    if of_lora is not None and architecture != of_lora:
        text = _(
            "The LoRA is for {of_lora}, but {label} is {architecture}: no part of it would fit. Choose a "
            "base of the same architecture, or none to have one picked."
        )
        raise DoesNotFit(text.format(of_lora=of_lora, label=label, architecture=architecture))


def resolve_base(spec: table.PipelineSpec, index: repo_layout.Index) -> table.PipelineSpec:
    """A user's own base as its index describes it. Raises DoesNotFit (architecture) or NoBase (pipeline)."""
    if not spec.assumed:
        return spec
    bases = _with_pipeline(index)
    if not bases:
        text = _("{label} is for diffusers' {value}, which hub-ui can't generate with. Choose another base.")
        raise NoBase(text.format(label=spec.label, value=index.pipeline or "unnamed pipeline"))
    # SD 1 and SD 2 share a class; the LoRA shows which is meant. Without one it is not the demo's base.
    same = [base for base in bases if base.architecture == spec.architecture]
    like = (same or [base for base in bases if base.source != str(table.PACKAGED)])[0]
    _check_architecture(spec.label, like.architecture, spec.architecture or None)
    return table.with_sizes(_own(like, spec.source, pipeline=index.pipeline))


def _with_pipeline(index: repo_layout.Index) -> list[table.PipelineSpec]:
    pipeline = _FILE["same_pipeline"].get(index.pipeline, index.pipeline)
    return [base for base in table.BASES if base.pipeline == pipeline]


def check_base_name(name: str) -> None:
    """Raises UsageError for a name that is in no table and is no repo, folder or checkpoint."""
    path = Path(name)
    if not (_listed_base(name) or _REPO.fullmatch(name) or path.is_dir() or _is_file(path)):
        raise UsageError(_no_such_base(name, None))


def _no_such_base(name: str, architecture: str | None) -> str:
    bases = bases_for_architecture(architecture) or table.BASES
    near = suggestion(name, (word for base in bases for word in (base.id, base.architecture)))
    others = near or f" Choose one of: {', '.join(base.id for base in bases)}."
    return (
        f"“{name}” is no base model.{others} A repo OWNER/NAME, a folder or a .safetensors or .gguf checkpoint will "
        "do, too."
    )


def _listed_base(name: str) -> table.PipelineSpec | None:
    return next(
        (base for base in table.BASES if name.lower() in (base.id, base.architecture, base.source.lower())), None
    )


def _is_file(path: Path) -> bool:
    return path.is_file() or path.suffix.lower() in _FILE["suffixes"]


def _find_base(name: str, architecture: str | None) -> table.PipelineSpec:
    """An id, an architecture, a known repo; or any repo, folder or checkpoint."""
    if (base := _listed_base(name)) is not None:
        return base
    path, of_lora = Path(name), bases_for_architecture(architecture) if architecture else ()
    if _is_file(path):
        return _from_checkpoint(path)
    if path.is_dir():
        index = repo_layout.read_index(path)
        if index is None:
            text = _("{path} holds no model_index.json, so it is no base in diffusers' layout. Choose another base.")
            raise NoBase(text.format(path=path))
        same = [base for base in _with_pipeline(index) if base.source != str(table.PACKAGED)]
        return resolve_base(replace(_own([*of_lora, *same, table.BASES[1]][0], str(path)), assumed=True), index)
    if not _REPO.fullmatch(name):
        raise NoBase(_no_such_base(name, architecture))
    if architecture and not of_lora:
        text = _(
            "There is no base model here that can generate with LoRAs for {architecture}, so {name} can't "
            "be used. Use the LoRA in another program."
        )
        raise NoBase(text.format(architecture=architecture, name=name))
    own = _own([*of_lora, table.BASES[1]][0], name)
    return table.with_sizes(replace(own, architecture=architecture or "", assumed=True))


def _from_checkpoint(path: Path) -> table.PipelineSpec:
    """A checkpoint in one file. The parts it lacks come from the most similar base of the table."""
    found = identify_checkpoint(path)
    schnell = found.architecture == "flux1" and not found.guided
    like = base_by_id("flux.1-schnell" if schnell else found.size) or next(
        iter(bases_for_architecture(found.architecture)), None
    )
    if like is None:
        text = _("{name} is for {architecture}, which hub-ui can't generate with. Choose another base.")
        raise NoBase(text.format(name=path.name, architecture=found.architecture))
    if like.is_modular:
        text = _("{label} is read in diffusers' layout only, and {name} is a single file. Choose a repo or a folder.")
        raise NoBase(text.format(label=like.label, name=path.name))
    own = replace(
        like,
        id=str(path),
        label=path.name,
        license="",
        checkpoint=table.Checkpoint(file=str(path), brings=found.brings),
        precision=found.precision,
        scheduler="EulerDiscreteScheduler" if found.velocity else None,
        scheduler_options=_FILE["velocity"] if found.velocity else {},
        gguf=None,
    )
    return table.with_sizes(own)


def _own(like: table.PipelineSpec, source: str, pipeline: str | None = None) -> table.PipelineSpec:
    """A user's own base with the settings of a similar one. Its commit, licence and gate are unknown."""
    return replace(
        like,
        id=source,
        label=source,
        source=source,
        pipeline=pipeline or like.pipeline,
        revision=None,
        license="",
        gated=False,
        scheduler=None,
        scheduler_options={},
        flow_shifts=None,
        checkpoint=None,
        gguf=None,
    )
