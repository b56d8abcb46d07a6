"""One call of the pipeline for one or several cells, which share the initial noise unless they have seeds of their own.

The images are checked, because half precision can overflow to NaN, which makes an image black. torch.compile can be
used with merged LoRAs only, because it can't follow the state that hooks keep.
"""

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from PIL.Image import Image

from connectors.errors import HubUiError, PreviewError
from hub_ui.base.i18n import _
from hub_ui.generate.base_models.table import NETWORKS
from hub_ui.generate.caches import PromptCache, PromptRow, effect_key
from hub_ui.generate.compare.comparison import Cell
from hub_ui.generate.lora.hooks import NotPerRow
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.memory.device import is_out_of_memory
from hub_ui.generate.memory.offload import free_parts, is_offloaded
from hub_ui.generate.pipeline_arguments import call_arguments, guiders, output_images
from hub_ui.generate.previews import HostCopy, LatentPreviews, copy_to_host
from hub_ui.generate.prompt_weights import chunk_count, encode_prompts, reads_emphasis, without_weights
from hub_ui.generate.request import LoraInput, ProgressTracker, replace_attribute, watch_steps
from hub_ui.generate.result import GeneratedImage
from hub_ui.generate.settings import ResolvedRequest

_DARKEST = 2


@dataclass(kw_only=True, slots=True)
class OutputChecks:
    """Checks of latents and images. `notes` collects sentences about them for the user."""

    notes: list[str] = field(default_factory=list)
    # Whether the latents of the last step are finite, and their dtype.
    _last_step: tuple[HostCopy, Any] | None = None

    def check_latents(self, latents: Any) -> None:
        """Raise PreviewError for latents that are not finite, because later steps would waste time.

        On CUDA this reports one step late. Only the result of the last step is awaited, while this step is queued
        behind it, so the device never idles, and progress and cancelling stay within a step of the device.
        """
        import torch

        self.finish_latents()
        self._last_step = copy_to_host(torch.isfinite(latents).all()), latents.dtype
        if self._last_step[0].is_ready:
            self.finish_latents()

    def finish_latents(self) -> None:
        """Wait for the pending check of the last step, if any, and raise as `check_latents` does."""
        last, self._last_step = self._last_step, None
        if last is not None and not bool(last[0].read()):
            raise _overflow_error("The network", last[1], "Turn the weight or the guidance down")

    def forget_latents(self) -> None:
        """Drop the pending check before a run, because a cancelled run may have left one."""
        self._last_step = None

    @contextmanager
    def watch_decoding(self, pipe: Any) -> Iterator[None]:
        """Within the context, decode again in full precision if the VAE overflows in half precision."""
        import torch

        vae: Any = getattr(pipe, "vae", None)
        if not hasattr(vae, "decode"):
            yield
            return
        decode = vae.decode

        @functools.wraps(decode)
        def decode_and_check(latents: Any, *args: Any, **kwargs: Any) -> Any:
            self.finish_latents()
            decoded = decode(latents, *args, **kwargs)
            if _is_finite(decoded):
                return decoded
            dtype = next(vae.parameters()).dtype
            if dtype.itemsize < 4:
                vae.to(torch.float32)
                try:
                    with torch.autocast(latents.device.type, enabled=False) if latents.is_cuda else nullcontext():
                        decoded = decode(latents.float(), *args, **kwargs)
                finally:
                    vae.to(dtype)
                self.note("The VAE overflowed in half precision, so it decoded in full precision.")
            if not _is_finite(decoded):
                raise _overflow_error("The VAE", dtype, "Choose another base")
            return decoded

        with replace_attribute(vae, "decode", decode_and_check):
            yield

    def check_image(self, image: Image, label: str) -> None:
        """Add a note if the image is all black."""
        brightest = max(high for _, high in image.convert("RGB").getextrema())  # type: ignore[misc]
        if brightest <= _DARKEST:
            self.note(
                f"The image “{label}” is all black. If the prompt did not ask for that, try another weight or seed."
            )

    def check_effect(self, cell: Cell, image: GeneratedImage, base: GeneratedImage | None) -> None:
        """Add a note if the LoRAs change nothing, because some files hold only zeros."""
        if any(cell.weights) and base is not None and image.image.tobytes() == base.image.tobytes():
            self.note(f"The image “{cell.label}” is the one without LoRAs, pixel for pixel: here they change nothing.")

    def note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def _is_finite(decoded: Any) -> bool:
    import torch

    sample = decoded[0] if isinstance(decoded, tuple) else decoded.sample
    return bool(torch.isfinite(sample).all())


def _overflow_error(part: str, dtype: Any, step: str) -> PreviewError:
    name, half = str(dtype).removeprefix("torch."), ""
    if name == "float16":
        half = " Numbers this large do not fit into half precision: use a base in bfloat16 or float32."
    return PreviewError(
        f"{part} came to values that are no numbers ({name}), so there is no image.{half} {step}, then try again."
    )


# The errors that pipelines raise for unsupported input, which have no common base class.
_PIPELINE_ERRORS = (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, NotImplementedError)


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchContext:
    """The values that all batches of a comparison share.

    `pipe` is called. `base_pipe` offloads the parts of both pipelines, because `pipe` may be its sibling for another
    task. `adapters` may be more than the weights of a cell; the remaining adapters have their own weight in every cell.
    """

    pipe: Any
    base_pipe: Any
    manager: AdapterManager
    adapters: Sequence[LoraInput]
    settings: ResolvedRequest
    progress: ProgressTracker
    prompt_cache: PromptCache
    previews: LatentPreviews
    checks: OutputChecks
    control: Image | None = None
    start: Image | None = None


def generate_batch(context: BatchContext, cells: Sequence[Cell]) -> list[GeneratedImage]:
    """Generate the images of some cells in one call of the pipeline.

    Raises NotPerRow if LoRAs can't have different weights in one batch, and torch's errors if memory runs out.
    """
    import torch

    start = time.perf_counter()
    context.progress.start()
    weights = [
        (*cell.weights, *(adapter.weight for adapter in context.adapters[len(cell.weights) :])) for cell in cells
    ]
    rows = [PromptRow(weights=row, effect=effect_key(context.adapters, row)) for row in weights]
    with ExitStack() as stack:
        # If a call ends with an error, diffusers leaves the last network on the device.
        stack.callback(free_parts, context.base_pipe)
        if len(set(weights)) > 1:
            stack.enter_context(context.manager.row_weights(weights))
        else:
            context.manager.set_weights(weights[0])
        if context.settings.compile:
            stack.enter_context(compiled_network(context.pipe, context.manager, context.checks.note))
        stack.enter_context(context.prompt_cache.share(context.pipe, context.manager, rows))
        stack.enter_context(_follow_steps(context, len(cells)))
        stack.enter_context(context.checks.watch_decoding(context.pipe))
        for guider in guiders(context.pipe):
            stack.enter_context(replace_attribute(guider, "guidance_scale", context.settings.guidance))
        stack.enter_context(torch.inference_mode())
        application = " and ".join(sorted(context.manager.application, reverse=True))
        videos = _call(context, cells)
    context.progress.finish(len(cells))
    middles = [frames[len(frames) // 2] for frames in videos]
    context.previews.learn(middles[-1])
    seconds = (time.perf_counter() - start) / len(cells)
    return [
        GeneratedImage(
            image=middle,
            seconds=seconds,
            frames=frames if len(frames) > 1 else (),
            rows=len(cells),
            adapters=application,
        )
        for middle, frames in zip(middles, videos, strict=True)
    ]


def _call(context: BatchContext, cells: Sequence[Cell]) -> list[tuple[Image, ...]]:
    import torch

    # Sample the noise on the CPU, so that it is the same on every device and in every row.
    seeds = (context.settings.seed if cell.seed is None else cell.seed for cell in cells)
    noise = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    try:
        call = _arguments(context, [cell.prompt for cell in cells])
        return output_images(context.pipe(**call, generator=noise if len(noise) > 1 else noise[0]))
    except (NotPerRow, HubUiError):
        raise
    except _PIPELINE_ERRORS as error:
        if is_out_of_memory(error):
            raise
        reason = (str(error).splitlines() or [""])[0][:160] or type(error).__name__
        if attention := attention_of(context.pipe):
            from diffusers.models.attention_dispatch import AttentionBackendName, _AttentionBackendRegistry

            _AttentionBackendRegistry.set_active_backend(AttentionBackendName.NATIVE)
            context.checks.note(f"Attention by “{attention}” failed here ({reason}): torch's own was used.")
            return _call(context, cells)
        if len(cells) > 1:
            raise NotPerRow(_("This base generates one image at a time ({reason}).").format(reason=reason)) from error
        text = _("This base model can't generate this ({reason}). Try another size, fewer changes, or another base.")
        raise PreviewError(text.format(reason=reason)) from error


def _arguments(context: BatchContext, prompts: Sequence[str]) -> dict[str, Any]:
    """Build the arguments of the call. All prompts of a batch must have the same number of chunks."""
    pipe, settings = context.pipe, context.settings
    if settings.emphasis and not reads_emphasis(pipe):
        prompts = [without_weights(prompt) for prompt in prompts]
        settings = replace(settings, negative=without_weights(settings.negative))
    call = call_arguments(pipe, settings, prompts, context.control, context.start)
    if chunks := chunk_count(pipe, settings, prompts[0]):
        call = {name: value for name, value in call.items() if name not in ("prompt", "negative_prompt")}
        call |= encode_prompts(pipe, prompts, settings.negative, chunks)
    return call


@contextmanager
def _follow_steps(context: BatchContext, rows: int) -> Iterator[None]:
    callbacks = context.progress.callbacks

    def after(done: int, total: int, latents: Any) -> None:
        # The total of the scheduler includes the steps that are skipped if the run starts from an image.
        total = max(done, total * context.settings.run_steps // context.settings.steps)
        context.checks.check_latents(latents)
        preview = context.previews.preview(latents, context.settings, last=done == total)
        context.progress.step(rows, done, total, preview)
        callbacks.raise_if_cancelled()

    # A cancelled run may have left latents here.
    context.checks.forget_latents()
    context.previews.forget_latents()
    with watch_steps(context.pipe, callbacks.raise_if_cancelled, after):
        yield
        context.checks.finish_latents()


COMPILED = "The network was compiled: its images may differ from those without --compile in a few pixels' last digits."
ADDED = "It was not compiled: LoRAs with different weights share a batch, where they are added while the network runs."
OFFLOADED = "It was not compiled: the network does not fit into the device's memory as a whole."


@contextmanager
def compiled_network(
    pipe: Any, manager: AdapterManager, note: Callable[[str], None], backend: str | Callable[..., Any] = "inductor"
) -> Iterator[None]:
    """Within the context, run the network's repeated blocks compiled, or note why they can't be.

    `backend` is an argument of torch.compile.
    """
    import torch

    networks = _networks(pipe)
    is_moved = any(map(is_offloaded, networks.values()))
    message = ADDED if manager.hooked_components & networks.keys() else OFFLOADED if is_moved else COMPILED
    with ExitStack() as stack:
        for network in networks.values() if message == COMPILED else ():
            for block in _blocks(network):
                # torch caches compiled code by code object and shapes, so only the first image waits for it.
                stack.enter_context(replace_attribute(block, "forward", torch.compile(block.forward, backend=backend)))
        yield
        note(message)


def _networks(pipe: Any) -> dict[str, Any]:
    return {name: part for name in NETWORKS if (part := getattr(pipe, name, None)) is not None}


def attention_of(pipe: Any) -> str:
    """Return diffusers' name of the attention backend, as DIFFUSERS_ATTN_BACKEND chooses it.

    Return "" for torch's own backend, which is the only choice for some networks.
    """
    from diffusers.models.attention_dispatch import _AttentionBackendRegistry

    registry: Any = _AttentionBackendRegistry
    name = str(registry.get_active_backend()[0].value)
    modules = (module for network in _networks(pipe).values() for module in network.modules())
    knows_others = any(hasattr(getattr(module, "processor", None), "_attention_backend") for module in modules)
    return name if knows_others and name != "native" else ""


def _blocks(network: Any) -> list[Any]:
    """Return the repeated blocks of a network, or the network itself.

    diffusers names their classes in `_repeated_blocks`. Compiling only those blocks takes seconds instead of minutes.
    """
    repeated = getattr(network, "_repeated_blocks", None) or ()
    return [module for module in network.modules() if type(module).__name__ in repeated] or [network]
