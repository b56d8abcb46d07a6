"""The commands hub-ui try, which generates images or comparisons, and hub-ui train, which trains on Replicate."""

import io
import os
import random
import re
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, make_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from connectors.errors import HubUiError, NeedsFetching, UsageError
from connectors.ref import Ref
from connectors.replicate.runs import Order, Run, Runs, start_training, terms_of
from hub_ui import commands, settings
from hub_ui.app import services
from hub_ui.app.documents import result_json
from hub_ui.app.services import Services
from hub_ui.app.training import follow_training, price, training_set
from hub_ui.app.used_loras import find_ref
from hub_ui.base.disk import replace_file
from hub_ui.base.format import plural, size
from hub_ui.base.json_values import attributes
from hub_ui.commands.terminal import Terminal
from hub_ui.commands.try_options import ROWS, TryOptions, row_option
from hub_ui.commands.try_plan import TryPlan, plan_again, print_plan
from hub_ui.generate.base_models import files
from hub_ui.generate.base_models.download import Source
from hub_ui.generate.compare import comparison
from hub_ui.generate.compare.lora_axis import no_clip
from hub_ui.generate.estimate import TIMINGS, Timings
from hub_ui.generate.plan import choose_spec, make_plan
from hub_ui.generate.request import DEFAULT_STRENGTH, Callbacks, GenerationRequest
from hub_ui.generate.result import GenerationResult, check_mp4
from hub_ui.generate.settings import substitution_notes
from hub_ui.images import png_metadata

LARGEST_SEED = 2**32


@dataclass(frozen=True, kw_only=True)
class TryCommand(TryOptions):
    def run(self, terminal: Terminal) -> int:
        self.check()
        chosen = settings.from_environment(os.environ, library=self.library, lock=self.lock)
        with services.build(chosen) as built:
            if self.plan:
                self._print_memory_plan(built, terminal)
                return 0
            if self.again:
                plan = plan_again(built, self, self.again, commands.progress_callback(terminal))
            else:
                plan = self._plan(built, terminal)
            plan = replace(plan, request=replace(plan.request, compile=self.compile))
            plan = replace(plan, notes=(*plan.notes, *self.weight_warnings())).with_file_hashes()
            if self.estimate:
                _print_estimate(built, plan, terminal)
                return 0
            out = self.out or Path()
            if out.suffix.lower() != ".png" and len(plan.comparison.cells) > 1:
                raise UsageError(f"--out {out}: a comparison is saved as one PNG. Name it .png")
            if out.suffix.lower() == ".mp4" and plan.place == "local":
                check_mp4(is_video=choose_spec(plan.request).video is not None)
            result = _generate(built, plan, terminal, yes=self.yes)
        cells = [self.cells / f"{i:02}.png" for i in range(1, len(result.images) + 1)] if self.cells else []
        try:
            save(result, out, cells)
        except OSError as error:
            name = str(error.filename or out).removesuffix(".new")
            raise HubUiError(
                f"{name} can't be written: {error.strerror or error}. Images generated lately are in "
                f"{chosen.home / 'pictures'}."
            ) from error
        stored = plan.provenance
        changes = png_metadata.differences(stored, result.request, result.report) if stored else ()
        notes = tuple(dict.fromkeys([*plan.notes, *changes, *result.report.notes]))
        # The notes of the plan were printed before the generation, because a note may be a reason to cancel it.
        new = [note for note in notes if note not in plan.notes]
        document = result_json(result, str(out), notes, cells)
        terminal.show(document, lambda: _print_result(result, out, new, self.cells, terminal))
        return 0

    def _print_memory_plan(self, built: Services, terminal: Terminal) -> None:
        loras = [commands.parse_lora(text, partial(find_ref, built)) for text in self.refs or ()]
        request = built.generation.plan(
            loras,
            (),
            prompt="",
            base=self.base,
            quality=self.quality or "balanced",
            width=self.size.width if self.size else None,
            height=self.size.height if self.size else None,
            frames=self.frames,
        )
        spec, timings = choose_spec(request), Timings(built.settings.home / TIMINGS)
        full, draft = (make_plan(replace(request, draft=is_draft), spec, timings=timings) for is_draft in (False, True))
        print_plan(full, draft, self.memory, _source(built), terminal)

    def _plan(self, built: Services, terminal: Terminal) -> TryPlan:
        texts = [text for given in self.refs or () for text in (epochs(given) if self.compare == "loras" else [given])]
        loras = [commands.parse_lora(text, partial(find_ref, built)) for text in texts]
        weights, prompts, notes = self.weight or [], self.prompt or [], tuple[str, ...]()
        fields: dict[str, Any] = {
            **self.rows(),
            "prompt": prompts[0],
            "clip_weights": self.clip_weight or (),
            "blocks": self.blocks or (),
            "base": self.base,
            "seed": random.randrange(LARGEST_SEED) if self.seed is None else self.seed,
            "width": self.size.width if self.size else None,
            "height": self.size.height if self.size else None,
            "sampler": self.sampler,
            "control": self.control,
            "control_kind": self.control_kind,
            "image": self.image,
            "strength": DEFAULT_STRENGTH if self.strength is None else self.strength,
            "frames": self.frames,
            "use_trigger_words": not self.no_trigger_words,
            "emphasis": not self.no_emphasis,
            "may_fetch": self.fetch,
            "quality": self.quality or "balanced",
            "draft": None if self.compare and not self.draft and not self.full else self.draft,
        }
        if self.compare == "loras":
            fit = built.generation.fit(built.generation.plan(loras, weights, **fields))
            weights, clips, blocks = (
                [given[i] for i in fit.kept] if len(given) == len(loras) else list(given)
                for given in (weights, fields["clip_weights"], fields["blocks"])
            )
            loras, notes = [loras[i] for i in fit.kept], fit.aside
            fields |= {"base": fit.base, "clip_weights": clips, "blocks": blocks}
            count, missing_bytes = built.generation.to_pull(loras)
            if count and not self.estimate:
                terminal.note(f"To be pulled first: {plural(count, 'LoRA')}, {size(missing_bytes, precise=True)}")
        # Replicate and estimates need no local files.
        missing = any(built.downloads.find_installed(lora) is None for lora in loras if isinstance(lora, Ref))
        pulls = self.on == "local" and not (self.estimate and missing)
        on_progress = commands.progress_callback(terminal)
        request = built.generation.request(loras, weights, pulls=pulls, on_progress=on_progress, **fields)
        cells = comparison.make_comparison(
            self.compare or "one", request, prompts, self.weights_of or (), seeds=self.seeds or 1
        )
        return TryPlan(request=request, comparison=cells, place=self.on, notes=notes)


def epochs(text: str) -> list[str]:
    """Return the LoRA files of a folder in natural order, or the text itself if it is not a folder."""
    folder = Path(text)
    if not folder.is_dir():
        return [text]
    files = [str(path) for path in folder.glob("*.safetensors")]
    if not files:
        raise UsageError(f"{text}: there is no .safetensors file in this folder")
    return sorted(files, key=lambda path: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path)])


Try = make_dataclass("Try", map(row_option, ROWS), bases=(TryCommand,), frozen=True, kw_only=True)


def _print_estimate(built: Services, plan: TryPlan, terminal: Terminal) -> None:
    """Print the estimate. Neither generate nor download anything."""
    sentence = built.generation.estimate(plan.request, plan.comparison, place=plan.place)
    # Print the time first, because looking up the base model may fail.
    if not terminal.json:
        terminal.line(sentence)
    fetch = None
    if plan.place == "local":
        choice = choose_spec(plan.request)
        plan = replace(plan, notes=(*plan.notes, *substitution_notes(choice, plan.request)))
        fetch = files.plan_download(choice, _source(built))
    needed = fetch if fetch is not None and fetch.missing > 0 else None
    document = {
        "estimate": sentence,
        "loras": [attributes(adapter, "ref", "weight") for adapter in plan.request.adapters],
        "notes": plan.notes,
        "place": plan.place,
        "pictures": len(plan.comparison.cells),
        # `fetch` is null if the base model is on the disk.
        "fetch": needed
        and {
            "base": needed.spec.label,
            "bytes": needed.missing,
            **attributes(needed, "repo", "license", "gated"),
        },
    }
    text = ""
    if needed is not None:
        text = (
            f"{needed.spec.precise_label} would be downloaded first: {size(needed.missing, precise=True)} from "
            f"{needed.origin}, under {needed.license or 'a licence that its page names'}."
        )
    elif fetch is not None:
        text = f"{fetch.spec.precise_label} is on this disk: nothing has to be downloaded."
    terminal.show(document, lambda: terminal.lines(filter(None, [text])))
    for note in () if terminal.json else plan.notes:
        terminal.note(note)


def _source(built: Services) -> Source:
    return Source(endpoint=built.settings.endpoints["huggingface"], keys=built.settings.tokens, cache=None)


def _generate(built: Services, plan: TryPlan, terminal: Terminal, *, yes: bool) -> GenerationResult:
    for note in () if terminal.json else plan.notes:
        terminal.note(note)
    # Ignore a failed estimate, because the generation then reports the reason.
    with suppress(HubUiError):
        terminal.note(built.generation.estimate(plan.request, plan.comparison, place=plan.place))
    if plan.place == "replicate":
        commands.confirm_payment("Generating on Replicate", terminal, yes=yes)
    with commands.watch_ctrl_c() as is_cancelled:
        callbacks = Callbacks(on_progress=commands.progress_callback(terminal), is_cancelled=is_cancelled)

        def generate(request: GenerationRequest) -> GenerationResult:
            return built.generation.generate(request, plan.comparison, callbacks, place=plan.place)

        try:
            return generate(plan.request)
        except NeedsFetching as error:
            if not commands.can_answer(terminal):
                raise
            terminal.note(f"hub-ui: {error.message}")
            if not commands.confirm("Download it now?", terminal):
                raise
            return generate(replace(plan.request, may_fetch=True))


def save(result: GenerationResult, out: Path, cells: Sequence[Path]) -> None:
    whole = io.BytesIO()
    png_metadata.save_whole(result, whole, suffix=out.suffix.lower())
    replace_file(out.resolve(), whole.getvalue())
    for i, cell in enumerate(cells):
        image = io.BytesIO()
        png_metadata.save(result, i, image)
        replace_file(cell.resolve(), image.getvalue())


def _print_result(
    result: GenerationResult, out: Path, notes: Sequence[str], cells: Path | None, terminal: Terminal
) -> None:
    report = result.report
    terminal.line(str(out))
    facts = [
        "draft" if report.draft is not None else "",
        f"{len(result.images)} images" if len(result.images) > 1 else "",
        f"seed {report.seed}",
        plural(report.steps, "step") if report.steps else "",
        report.sampler,
        f"{sum(image.seconds for image in result.images):.1f} s",
    ]
    terminal.note(f"{report.base} on {report.device}, {', '.join(filter(None, facts))}")
    if (measures := report.measures) is not None:
        for i, name in enumerate(result.comparison.columns):
            kept = f", keeps the prompt {100 * measures.prompt[i].mean:.1f} (CLIP's view)" if measures.prompt else ""
            terminal.note(f"{name}: changes the image by {measures.change[i].mean:.1%}{kept}")
        if not measures.model:
            terminal.note(no_clip())
    if cells:
        terminal.note(f"Each image by itself: {cells}")
    for coverage in report.coverage:
        terminal.note(f"{coverage.title}: {coverage.sentence()}")
    for note in notes:
        terminal.note(note)


@dataclass(frozen=True, kw_only=True)
class Train(commands.JsonOption):
    pictures: Annotated[
        Path | None, commands.argument("FOLDER|ZIP", "Images, each with a caption NAME.txt if it has one.")
    ] = None
    destination: Annotated[
        str | None, commands.option("OWNER/NAME", "Your model on Replicate. A new one is created, private.")
    ] = None
    trigger: Annotated[str | None, commands.option("WORD", "A word that is no real one; it will call the LoRA.")] = None
    rank: Annotated[int, commands.option("N", "1 to 128.", commands.count)] = 16
    steps: Annotated[int, commands.option("N", "3 to 6000.", commands.count)] = 1000
    yes: Annotated[bool, commands.flag("--yes", "Spend the money without being asked.")] = False
    follow: Annotated[str | None, commands.option("ID", "Go on with a training that was started before.")] = None
    cancel: Annotated[str | None, commands.option("ID", "Stop a training.")] = None

    def run(self, terminal: Terminal) -> int:
        if (self.follow or self.cancel) and (self.pictures or self.destination or self.trigger):
            raise UsageError(f"--{'follow' if self.follow else 'cancel'} takes the training's ID alone.")
        if self.follow and self.cancel:
            raise UsageError("Either --follow or --cancel a training.")
        chosen = settings.from_environment(os.environ)
        with services.build(chosen) as built, closing(Runs(built.replicate)) as runs:
            if self.cancel:
                run = runs.cancel(runs.get("trainings", self.cancel))
                text = f"Training {run.id}: {run.status}"
                terminal.show({"id": run.id, "status": run.status}, lambda: terminal.line(text))
                return 0
            run = runs.get("trainings", self.follow) if self.follow else self._start(runs, terminal)
            run, ref = follow_training(built, runs, run, commands.progress_callback(terminal))
        terms = terms_of(run)
        document = {
            **attributes(run, "id", "status", "seconds"),
            "ref": str(ref),
            **attributes(terms, "trigger_word", "rank", "steps"),
        }
        terminal.show(document, lambda: terminal.line(str(ref)))
        if not terminal.json:
            terminal.note(f"Try it: hub-ui try {ref} --prompt … --out FILE.png")
        return 0

    def _start(self, runs: Runs, terminal: Terminal) -> Run:
        if not (self.pictures and self.destination and self.trigger):
            raise UsageError("A folder or zip of pictures, --destination OWNER/NAME and --trigger WORD are needed.")
        runs.need_key("Training a LoRA")
        order = Order(destination=self.destination, trigger_word=self.trigger, rank=self.rank, steps=self.steps)
        order.check()
        pictures = training_set(self.pictures)
        for note in (*pictures.notes, price(order, pictures)):
            terminal.note(note)
        commands.confirm_payment("Training", terminal, yes=self.yes)
        terminal.progress(f"Uploading {size(len(pictures.zipped), precise=True)}…")
        run = start_training(runs, order, pictures.zipped)
        terminal.note(f"Training {run.id} has begun. It goes on there whatever happens here:")
        terminal.note(f"  hub-ui train --follow {run.id}    hub-ui train --cancel {run.id}")
        return run
