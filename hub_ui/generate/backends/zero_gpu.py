"""Generation on ZeroGPU of Hugging Face Spaces, where a GPU is there for one function at a time, in a forked process.

`spaces` is imported here alone. It changes torch for the whole process, so a Space's entry file imports it before that.
Its functions get what can be pickled, and have the memory of this process as it was when they were forked: the base
that `prepare` placed is moved to their GPU.
"""

from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from pathlib import Path

from connectors.errors import HubUiError, PreviewError
from hub_ui.base.i18n import _, language
from hub_ui.generate.base_models import BASES, PipelineSpec
from hub_ui.generate.base_models.download import Source
from hub_ui.generate.base_models.files import is_on_disk
from hub_ui.generate.compare.comparison import Comparison
from hub_ui.generate.engine import Engine, Event, EventStream
from hub_ui.generate.estimate import Estimate
from hub_ui.generate.request import NO_CALLBACKS, Callbacks, GenerationRequest
from hub_ui.generate.result import GenerationResult
from hub_ui.generate.settings import check_request

# Operations a second of the half of an H200 that ZeroGPU lends (its "large" size), which this process can't measure.
GPU_SPEED = 3e14
# The process is forked, and the base moved to its GPU. A request that takes longer than it said is aborted.
_START_SECONDS, _SPARE = 10.0, 1.5
_LONGEST_SECONDS = 300


def build(source: Source, timings: Path, bases: Collection[str]) -> "ZeroGpuBackend":
    return ZeroGpuBackend(Engine(source, timings, speed=GPU_SPEED), bases)


class ZeroGpuBackend:
    """`engine` works in the forked processes. `bases` are those that visitors may use; empty for all."""

    def __init__(self, engine: Engine, bases: Collection[str] = ()) -> None:
        import spaces  # type: ignore[import-untyped]
        from spaces.zero.gradio import gr  # type: ignore[import-untyped]

        def generate_on_gpu(request: GenerationRequest, comparison: Comparison, language: str) -> Iterator[Event]:
            stream = EventStream(engine, request, comparison, language=language)
            try:
                while (event := stream.next()) is not None:
                    yield event
            finally:
                # The GPU is given back once the generation has stopped.
                stream.close(wait=True)

        self._engine = engine
        self._bases = bases
        self._error: type[Exception] = gr.Error
        self._generate = spaces.GPU(duration=self.duration)(generate_on_gpu)

    @property
    def loaded_base(self) -> PipelineSpec | None:
        return self._engine.loaded_base

    def prepare(self) -> None:
        """Places the first base that is on the disk, on the main thread: ZeroGPU packs what is placed at the launch."""
        allowed = [base for base in BASES if not self._bases or base.id in self._bases]
        # The tiny base of the demo, which is a folder, is there for Spaces that have none.
        for base in sorted(allowed, key=lambda base: Path(base.source).is_dir()):
            if is_on_disk(base, self._engine.source.cache):
                with suppress(HubUiError):
                    self._engine.load(GenerationRequest(adapters=(), prompt="", base=base.id))
                    return

    def generate(
        self, request: GenerationRequest, comparison: Comparison, callbacks: Callbacks = NO_CALLBACKS
    ) -> GenerationResult:
        """As Engine.generate. Cancelling, and what is downloaded, stay outside of the GPU's time."""
        check_request(request, comparison)
        self._engine.fetch(request, callbacks)
        callbacks.report(_("Waiting for a GPU"))
        try:
            with closing(self._generate(request, comparison, language().code)) as events:
                for event in events:
                    if isinstance(event, HubUiError):
                        raise event
                    if isinstance(event, GenerationResult):
                        return event
                    callbacks.on_progress(event)
                    callbacks.raise_if_cancelled()
        except self._error as error:
            # Such as a quota that is used up. It is HTML where it has a link.
            raise PreviewError(str(getattr(error, "message", error))) from error
        raise PreviewError(_("The generation ended without an image. Try again."))

    def estimate(self, request: GenerationRequest, comparison: Comparison) -> Estimate:
        return self._engine.estimate(request, comparison)

    def duration(self, request: GenerationRequest, comparison: Comparison, language: str) -> int:
        """The seconds of a GPU to ask for, with the arguments of the function that gets it. They count as used."""
        seconds = self._engine.estimate(request, comparison).seconds
        return min(_LONGEST_SECONDS, round(_START_SECONDS + _SPARE * seconds))

    def close(self) -> None:
        self._engine.close()
