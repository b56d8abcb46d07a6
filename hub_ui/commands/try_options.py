"""The options of hub-ui try, and the checks of their combinations."""

# Don't postpone annotations: typer would evaluate the annotations of a base class in the subclass's module.

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from connectors.errors import UsageError
from hub_ui import commands
from hub_ui.commands import LibraryOptions, Size, Weights, argument, flag, option
from hub_ui.generate import base_models, samplers
from hub_ui.generate.base_models.table import Quality
from hub_ui.generate.request import DEFAULT_STRENGTH, spread_weights
from hub_ui.generate.try_fields import TRY_FIELDS, TryField
from hub_ui.library.annotations import LEAST_WEIGHT, MOST_WEIGHT

_IMAGE = "The image"
_COMPARISON = "Comparisons"
_CONTROL = "A control image"
_START = "An image to start from"
_PLACE = "Where it is generated"
_SEED = commands.whole_number(0, 2**63 - 1)
_SHEETS = (
    "As one labelled image: without / with; a sweep of weights; trigger words off / on; two LoRAs and both; up to 32 "
    "LoRAs side by side, each alone; prompts x weights. Also called --sheet."
)
# The fields of the Compare page from which options are made. The other options have other limits or help texts here.
ROWS = tuple(row for row in TRY_FIELDS if row.about and row.attribute not in ("base", "seed"))


def row_option(row: TryField) -> tuple[str, Any, Any]:
    def parse(text: Any) -> Any:
        try:
            return row.value([str(text)])
        except UsageError as error:
            raise typer.BadParameter(error.message) from error

    return row.attribute, Annotated[row.hint | None, option(row.name.upper(), row.about, parse, _IMAGE)], None


@dataclass(frozen=True, kw_only=True)
class TryOptions(LibraryOptions):
    refs: Annotated[
        list[str] | None, argument("REF|PATH", "A web address, HUB:ID, or a .safetensors; pulled if it isn't here.")
    ] = None
    out: Annotated[
        Path | None,
        option("FILE.png", "Where it goes. A video becomes an animated PNG, or smaller, a FILE.webp or FILE.mp4."),
    ] = None
    again: Annotated[Path | None, option("FILE.png", "Generate the image of that file once more.")] = None

    prompt: Annotated[
        list[str] | None, option("T", "What the image shows; several make rows of a grid.", panel=_IMAGE)
    ] = None
    weight: Annotated[
        list[float] | None,
        option("W", "Strength, once a REF or once for all. Default: its author's, else 1.", commands.number, _IMAGE),
    ] = None
    clip_weight: Annotated[
        list[float] | None,
        option("W", "Strength in the text encoders. Default: that of --weight.", commands.number, _IMAGE),
    ] = None
    blocks: Annotated[
        list[str] | None,
        option("LBW", "Block weights, once a REF or once for all: INALL, or numbers such as 1,0,0.5...", panel=_IMAGE),
    ] = None
    no_trigger_words: Annotated[
        bool, flag("--no-trigger-words", "Take the prompt as it is, without trigger words put in.", _IMAGE)
    ] = False
    no_emphasis: Annotated[
        bool, flag("--no-emphasis", "Read (word:1.2), ( ) and [ ] as text, and no more than 75 tokens of CLIP.", _IMAGE)
    ] = False
    seed: Annotated[int | None, option("N", "The same number makes the same image. Default: any.", _SEED, _IMAGE)] = (
        None
    )
    size: Annotated[Size | None, option("WxH", "In pixels, such as 1024x768.", commands.image_size, _IMAGE)] = None
    sampler: Annotated[str | None, option("NAME", 'As A1111 or ComfyUI call it: "DPM++ 2M Karras".', panel=_IMAGE)] = (
        None
    )
    frames: Annotated[
        int | None, option("N", "The length of a video, on a base that makes videos.", commands.count, _IMAGE)
    ] = None

    compare: Annotated[
        Literal["pair", "strip", "trigger", "both", "loras", "grid"] | None,
        option(None, _SHEETS, panel=_COMPARISON, names=("--compare", "--sheet")),
    ] = None
    weights_of: Annotated[
        Weights | None,
        option("W,W...", "Of a sweep, a grid, or each of several LoRAs.", commands.weights, _COMPARISON),
    ] = None
    seeds: Annotated[
        int | None, option("N", "With --compare loras: each prompt from so many seeds.", commands.count, _COMPARISON)
    ] = None
    cells: Annotated[Path | None, option("DIR", "Also write each image of the sheet there.", panel=_COMPARISON)] = None

    control: Annotated[
        Path | None, option("FILE", "For control LoRAs, and bases that edit images.", panel=_CONTROL)
    ] = None
    control_kind: Annotated[
        Literal["canny", "depth", "pose", "ready"],
        option(None, "What is made of it: edges, depth, a pose; ready: it is a control image already.", panel=_CONTROL),
    ] = "canny"

    image: Annotated[Path | None, option("FILE", "Start from this image, in place of noise alone.", panel=_START)] = (
        None
    )
    strength: Annotated[
        float | None,
        option("S", f"How much of it is drawn anew, up to 1. Default: {DEFAULT_STRENGTH:g}.", commands.number, _START),
    ] = None

    base: Annotated[
        str | None,
        option("B", "An id, a Hugging Face repo, a folder or a checkpoint. Default: the LoRA's own.", panel=_PLACE),
    ] = None
    quality: Annotated[
        Quality | None,
        option(
            None,
            "A base too large for this GPU: in the fewest bits, in as many as fit (the default), or in full, slowly.",
            panel=_PLACE,
        ),
    ] = None
    draft: Annotated[bool, flag("--draft", "Quick images. Default: for sheets of over a minute.", _PLACE)] = False
    full: Annotated[bool, flag("--full", "No drafts, however long it takes.", _PLACE)] = False
    fetch: Annotated[bool, flag("--fetch", "Download a base model of over 1 GB without being asked.", _PLACE)] = False
    on: Annotated[Literal["local", "replicate"], option(None, "Replicate costs money.", panel=_PLACE)] = "local"
    compile: Annotated[
        bool, flag("--compile", "Compile the network: the first image takes longer, the next ones less.", _PLACE)
    ] = False
    yes: Annotated[bool, flag("--yes", "Spend the money on Replicate without being asked.", _PLACE)] = False
    estimate: Annotated[
        bool, flag("--estimate", "Say how long it takes and what would be downloaded, and stop.", _PLACE)
    ] = False
    plan: Annotated[
        bool, flag("--plan", "Say what the base takes of memory and how it runs there, and stop.", _PLACE)
    ] = False
    memory: Annotated[
        int | None, option("N", "With --plan: a GPU with so much memory, such as 12GB.", commands.memory_size, _PLACE)
    ] = None

    def rows(self) -> dict[str, Any]:
        """Return the given options of ROWS as arguments of a GenerationRequest."""
        return {row.attribute: value for row in ROWS if (value := getattr(self, row.attribute)) is not None}

    def check(self) -> None:
        """Raise UsageError if options are invalid or don't go together. Call it before any long download."""
        if self.memory is not None and not self.plan:
            raise UsageError("--memory goes with --plan.")
        if self.plan:
            if not self.base and not self.refs:
                raise UsageError("--plan takes a REF or a --base. Try: hub-ui try --plan --base flux.1-dev")
        elif self.again:
            self._check_again(self.again)
        elif not self.refs or not self.prompt:
            raise UsageError("A REF and a --prompt are needed, or --again FILE.png. Try: hub-ui try --help")
        if not self.estimate and not self.plan:
            check_out(self.out)
        if self.compile and self.on != "local":
            raise UsageError(
                "--compile is for images that are made on this computer: leave it out with --on replicate."
            )
        if self.draft and (self.full or self.on != "local"):
            raise UsageError("--draft is made on this computer, and not together with --full. Leave one of them out.")
        if self.sampler and samplers.read(self.sampler) is None:
            raise UsageError(f"--sampler {self.sampler}: no such sampler. Choose one of: {', '.join(samplers.names())}")
        if self.base and self.on == "local":
            base_models.check_base_name(self.base)
        for name, file in (("control", self.control), ("image", self.image)):
            if file and not file.is_file():
                raise UsageError(f"--{name} {file}: there is no such file")
        if self.control and self.image:
            raise UsageError("--image starts from an image and --control steers by one: leave one of the two out.")
        if not self.again:
            if self.strength is not None and not (self.image and 0 < self.strength <= 1):
                raise UsageError("--strength goes with --image, and is a number above 0 and up to 1.")
            self._check_sheet()
            count = len(self.refs or ())
            spread_weights(self.weight or (), count)
            spread_weights(self.clip_weight or (), count, ("--clip-weight", "--clip-weight"))
            spread_weights(self.blocks or (), count, ("--blocks", "--blocks"))

    def _check_again(self, file: Path) -> None:
        # Compare with None, because 0 is a value. A flag that is False becomes None.
        stored_options = (
            self.refs, self.prompt, self.weight, self.seed, self.rows() or None, self.size,
            self.sampler, self.frames, self.compare, self.weights_of, self.seeds, self.no_trigger_words or None,
            self.clip_weight, self.blocks, self.no_emphasis or None,
            self.strength,
        )  # fmt: skip
        if any(value is not None for value in stored_options):
            raise UsageError("--again takes LoRAs, prompt and numbers from the file it names: leave them out.")
        if not file.is_file():
            raise UsageError(f"--again {file}: there is no such file")

    def _check_sheet(self) -> None:
        if len(self.prompt or ()) > 1 and self.compare not in ("grid", "loras"):
            raise UsageError("More than one --prompt makes rows: add --compare grid or --compare loras.")
        if self.weights_of and self.compare not in ("strip", "grid", "loras"):
            raise UsageError("--weights-of goes with --compare strip, grid or loras.")
        if self.seeds and self.compare != "loras":
            raise UsageError("--seeds goes with --compare loras.")
        if self.cells is None:
            return
        if not self.compare:
            raise UsageError("--cells goes with --compare: it is where each of its images is written.")
        if self.cells.exists() and not self.cells.is_dir():
            raise UsageError(f"--cells {self.cells}: this is a file. Name a folder.")
        if not self.cells.absolute().parent.is_dir():
            raise UsageError(f"--cells {self.cells}: there is no folder {self.cells.absolute().parent}")

    def weight_warnings(self) -> tuple[str, ...]:
        """Return warnings for valid weights that rarely give good images."""
        unusual = {w for w in (*(self.weight or ()), *(self.weights_of or ())) if not LEAST_WEIGHT <= w <= MOST_WEIGHT}
        return tuple(
            f"Weight {weight:g} is far from usual: 1 is the full effect, most LoRAs are made for 0.3 to 1, and beyond "
            f"{LEAST_WEIGHT:g} to {MOST_WEIGHT:g} images fall apart."
            for weight in sorted(unusual)
        )


def check_out(out: Path | None) -> None:
    if out is None:
        raise UsageError("--out FILE.png is needed, or --estimate. Try: hub-ui try --help")
    if out.suffix.lower() not in (".png", ".webp", ".mp4"):
        raise UsageError(f"--out {out}: the name must end in .png, .webp, or for a video .mp4")
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}")
    if out.is_dir():
        raise UsageError(f"--out {out}: this is a folder. Name a file.")
    if not os.access(out.parent, os.W_OK):
        raise UsageError(f"--out {out}: nothing can be written into {out.absolute().parent}")
