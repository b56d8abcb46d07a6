"""Five named endpoints beside the page, for programs (gradio_client, plain HTTP) and agents (MCP): see docs/api.md.

Their answers are the documents of the command line. The page's own events are private, and no part of them.
"""

import json
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import gradio.events

from connectors.errors import BadRef, HubUiError, NeedsFetching, UsageError
from connectors.ref import Ref
from connectors.weights.inspect import inspect_path, inspect_url
from hub_ui import documents
from hub_ui.generate import comparison
from hub_ui.generate.result import GenerationResult
from hub_ui.images import png_metadata
from hub_ui.pages.try_page.generate import IsCancelled, check_bases, enqueue, wait_for_downloads
from hub_ui.pages.try_page.generations import Generations, GenerationSubject, Stopped
from hub_ui.services import Services

MOST_RESULTS = 200
_LARGEST_SEED = 2**32
_BEAT_SECONDS = 1.0


@contextmanager
def plain_errors() -> Iterator[None]:
    """Our errors as Gradio's, which it hands to clients. Unlike on the page, the message is no HTML."""
    try:
        yield
    except NeedsFetching as need:
        raise gr.Error(f"{need.message} Say fetch=true to allow that.", print_exception=False) from need
    except HubUiError as error:
        raise gr.Error(error.message, print_exception=False) from error


class Endpoints:
    """The functions behind the endpoints. Their docstrings are what clients and agents read."""

    def __init__(self, services: Services, generations: Generations, cache: Path) -> None:
        """`cache` is Gradio's folder of served files."""
        self._services = services
        self._cache = cache
        self._generations = generations

    def search(
        self,
        text: str = "",
        hubs: list[str] | None = None,
        bases: list[str] | None = None,
        kinds: list[str] | None = None,
        sort: str = "relevance",
        nsfw: str = "soft",
        limit: int = 20,
        offline: bool = False,
    ) -> dict[str, Any]:
        """Searches LoRAs for image and video models on Hugging Face, CivitAI and Replicate in one list.

        Args:
            text: Words and filters, such as "ink rank:>=16 -anime"; empty lists everything.
            hubs: Only these hubs: civitai, huggingface, replicate.
            bases: Only LoRAs for these base models or architectures, such as sdxl, pony or flux1.
            kinds: Only these: character, style, concept, control, tool; or runner, a hosted model that takes LoRAs.
            sort: relevance, downloads, likes or newest.
            nsfw: At most safe (rated so), soft (also what nobody rated), mature or explicit.
            limit: The number of results in all, at most 200.
            offline: Whether to search only what was seen before, and to ask no hub.

        Returns:
            {"results": [records], "failures": [hubs that did not answer]}. A record's `ref` names it elsewhere.
        """
        with plain_errors():
            query = documents.query_of(
                text,
                hubs=hubs or (),
                bases=bases or (),
                kinds=kinds or (),
                sort=sort,
                nsfw=nsfw,
                limit=min(limit, MOST_RESULTS),
            )
            return without_paths(documents.search(self._services, query, offline=offline).to_json())

    def show(self, ref: str) -> dict[str, Any]:
        """Tells everything known about one LoRA: its versions, files, examples, and the source of every claim.

        Args:
            ref: The LoRA as HUB:ID, or the address of its page.

        Returns:
            A record with its versions.
        """
        with plain_errors():
            return without_paths(documents.show(self._services, Ref.parse(ref)).to_json())

    def inspect(self, source: str) -> dict[str, Any]:
        """Tells what a weight file proves by its own header: architecture, rank, algorithm. Reads no more than that.

        Args:
            source: A ref, the web address of a .safetensors, or the full path of one on the server.

        Returns:
            The facts of the file.
        """
        with plain_errors():
            self._services.quotas.spend("opens")
            try:
                return self._services.lookup.inspect(Ref.parse(source)).to_json()
            except BadRef:
                path = Path(source)
                is_address = source.lower().startswith(("http://", "https://"))
                if not is_address and not path.is_absolute():
                    raise
            # Visitors must reach neither this computer's files nor its network.
            self._services.policy.check("open paths")
            return (inspect_url(source) if is_address else inspect_path(path)).to_json()

    def pull(self, ref: str) -> dict[str, Any]:
        """Downloads a LoRA's file into the library of the server, and pins it in the lock file.

        Args:
            ref: The LoRA as HUB:ID, or the address of its page.

        Returns:
            The entry of the lock file; `file_path` is where the file is on the server.
        """
        with plain_errors():
            self._services.policy.check("pull")
            entry = self._services.downloads.pull(Ref.parse(ref))
            return without_paths(documents.entry_json(self._services, entry))

    def try_loras(
        self,
        refs: list[str],
        prompt: str,
        weights: list[float] | None = None,
        negative: str = "",
        base: str | None = None,
        seed: int | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        width: int | None = None,
        height: int | None = None,
        fetch: bool = False,
        request: gr.Request | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Generates one image with LoRAs applied, on the server. Files that are missing are downloaded first.

        Args:
            refs: LoRAs as HUB:ID, or addresses of their pages. An empty list uses the base model alone.
            prompt: What the image shows. Trigger words are put in.
            weights: The strength of each LoRA, or one for all: 0 is none, 1 the full effect. Default: the author's.
            negative: What the image should not show.
            base: The base model to generate with. Default: the one that fits the LoRAs.
            seed: The same seed gives the same image. Default: a random one.
            steps: How many steps. Default: the base's own.
            guidance: How closely the prompt is followed. Default: the base's own.
            width: In pixels. Default: the base's own.
            height: In pixels. Default: the base's own.
            fetch: Whether a base model of several gigabytes may be downloaded.

        Returns:
            The image, as a PNG that contains how it was made
            The report: seed, size, base, weights and notes
        """
        with plain_errors():
            loras = [Ref.parse(ref) for ref in refs]
            fields = {
                "prompt": prompt,
                "negative": negative,
                "base": base,
                "seed": random.randrange(_LARGEST_SEED) if seed is None else seed,
                "steps": steps,
                "guidance": guidance,
                "width": width,
                "height": height,
                "may_fetch": fetch,
            }
            session = (request.session_hash if request else None) or ""
            return self._try(loras, weights or (), fields, session)

    def _try(
        self, loras: Sequence[Ref], weights: Sequence[float], fields: dict[str, Any], session: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        services = self._services
        check_bases(services, loras, fields["base"] or "")
        fetches = enqueue(services, loras)

        def work(on_progress: Callable[[Any], None], is_cancelled: IsCancelled) -> GenerationResult:
            wait_for_downloads(services.queue, fetches, on_progress, is_cancelled)
            wanted = services.generation.request(
                loras, weights, on_progress=on_progress, is_cancelled=is_cancelled, **fields
            )
            return services.generation.generate(
                wanted, comparison.single(wanted), on_progress=on_progress, is_cancelled=is_cancelled
            )

        subject = GenerationSubject(
            kind="one",
            refs=tuple(map(str, loras)),
            downloads=fetches.own,
            waits_for=tuple(task.id for task in fetches.tasks),
        )
        id_ = self._generations.start(subject, work, page=session)
        for step in self._generations.follow(id_, beat=_BEAT_SECONDS):
            if isinstance(step, Stopped):
                break
            if isinstance(step, GenerationResult):
                path = Path(tempfile.mkdtemp(dir=self._cache)) / f"hub-ui-{step.report.seed}.png"
                png_metadata.save(step, 0, path)
                image = gr.FileData(path=str(path), orig_name=path.name, mime_type="image/png").model_dump()
                return image, documents.result_json(step, path.name, step.report.notes)
        raise UsageError("This generation was stopped. Ask for it again.")


def without_paths(document: dict[str, Any]) -> dict[str, Any]:
    """gradio_client takes a dictionary with a `path` for a file that it should fetch, so the name gets longer."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return without_paths(value)
        return [plain(item) for item in value] if isinstance(value, list) else value

    return {"file_path" if key == "path" else key: plain(value) for key, value in document.items()}


def add_endpoints(app: gr.Blocks, services: Services, generations: Generations) -> None:
    """Within the Blocks of `app`. A hosted page has none that writes."""
    functions = Endpoints(services, generations, Path(app.GRADIO_CACHE))
    endpoints: dict[str, Callable[..., Any]] = {
        "search": functions.search,
        "show": functions.show,
        "inspect": functions.inspect,
        "pull": functions.pull,
        "try": functions.try_loras,
    }
    if not services.policy.allows("pull"):
        del endpoints["pull"]
    for name, function in endpoints.items():
        # Generations wait in the engine's own queue, and count as those of the page do.
        own = {"concurrency_id": generations.concurrency_id, "concurrency_limit": None} if name == "try" else {}
        gradio.events.api(function, api_name=name, **own)


def answer_agents_in_json(app: gr.Blocks) -> None:
    """Gradio (6.31) hands agents dictionaries as Python writes them, several outputs as one, and names of functions."""
    server = app.mcp_server_obj
    if server is None:
        return
    to_contents = server.postprocess_output_data

    def postprocess(data: Sequence[Any], root_url: str) -> Any:
        outputs = data[0] if isinstance(data[0], list | tuple) else data
        return to_contents([value if is_file(value) else json.dumps(value) for value in outputs], root_url)

    server.postprocess_output_data = postprocess  # type: ignore[method-assign]
    endpoints = server.tool_to_endpoint.values()
    server.tool_to_endpoint = {server.tool_prefix + name.removeprefix("/"): name for name in endpoints}


def is_file(value: Any) -> bool:
    return isinstance(value, dict) and (value.get("meta") or {}).get("_type") == "gradio.FileData"
