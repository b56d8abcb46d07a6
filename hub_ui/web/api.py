"""Six named endpoints with the documents of the command line, for programs and agents (MCP). See docs/api.md."""

import functools
import inspect
import json
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import gradio as gr
import msgspec
from gradio.utils import get_function_description
from gradio_client.utils import json_schema_to_python_type  # type: ignore[import-untyped]

from connectors.errors import BadRef, HubUiError, NeedsFetching, UsageError, suggestion
from connectors.ref import Ref
from connectors.weights.inspect import inspect_path, inspect_url
from hub_ui.app import documents
from hub_ui.app.jobs import ABANDONED_SECONDS, GONE, Jobs, Stopped
from hub_ui.app.services import Services
from hub_ui.app.used_loras import find_ref
from hub_ui.base.i18n import _
from hub_ui.generate.compare import comparison
from hub_ui.generate.request import Callbacks, GenerationRequest, IsCancelled
from hub_ui.generate.result import GenerationResult
from hub_ui.generate.try_fields import MOST_SEEDS, TRY_FIELDS, TrySettings
from hub_ui.images import png_metadata
from hub_ui.web.images import sweep
from hub_ui.web.requests import GENERATING, Calls
from hub_ui.web.server import caller_session, use_caller
from hub_ui.web.try_page.generate import start_job
from hub_ui.web.view import PARAMETERS

MOST_RESULTS = 200
# The hubs are queried for the skipped results as well, so a large offset is slow.
MOST_LEFT_OUT = 1_000
_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null"}
_LARGEST_SEED = 2**32
_BEAT_SECONDS = 1.0
MOST_AT_ONCE = 8
# Programs also pass arguments by position, so add new arguments at the end.
BY_POSITION = (
    "text", "hubs", "bases", "kinds", "sort", "nsfw", "limit", "offline", "offset", "refs", "prompt", "prompts",
    "seeds", "weights",
    "negative", "base", "seed", "steps", "guidance", "width", "height", "fetch",
)  # fmt: skip


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn HubUiErrors into gr.Errors, which Gradio sends to clients. The message is plain text, not HTML."""
    try:
        yield
    except NeedsFetching as need:
        raise gr.Error(f"{need.message} Say fetch=true to allow that.", print_exception=False) from need
    except HubUiError as error:
        raise gr.Error(error.message, print_exception=False) from error


@dataclass(frozen=True, kw_only=True)
class Argument:
    """An argument of an endpoint. `hint` is its type, and `about` its description in the docstring."""

    name: str
    hint: Any
    about: str
    default: Any

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of the argument's type."""
        return msgspec.json.schema(self.hint)

    def check(self, value: Any) -> None:
        """Raise UsageError if `value` does not match the argument's type."""
        try:
            msgspec.convert(value, self.hint)
        except msgspec.ValidationError as error:
            given = value if isinstance(value, list) else [value]
            wrong = next((item for item in given if item not in choices(self.hint)), value)
            near = suggestion(wrong, choices(self.hint)) if isinstance(wrong, str) else ""
            raise UsageError(
                f"“{self.name}” can't be {json.dumps(value)[:60]}.{near} It has to be {words(self.hint)}."
            ) from error


_SIDE = "In pixels. Default: the base's own."
_STRENGTH = "The strength of each LoRA, or one for all: 0 is none, 1 the full effect. Default: the author's."
OF_IMAGES = (
    Argument(name="weights", hint=float | list[float] | None, about=_STRENGTH, default=None),
    Argument(name="width", hint=int | None, about=_SIDE, default=None),
    Argument(name="height", hint=int | None, about=_SIDE, default=None),
    Argument(
        name="fetch", hint=bool, about="Whether a base model of several gigabytes may be downloaded.", default=False
    ),
)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    function: Callable[..., Any]

    @functools.cached_property
    def arguments(self) -> Mapping[str, Argument]:
        """Read the arguments from the function's signature and docstring, by name."""
        hints = get_type_hints(self.function, include_extras=True)
        _, about, _ = get_function_description(self.function)
        return {
            name: Argument(name=name, hint=hints[name], about=about[name], default=given.default)
            for name, given in inspect.signature(self.function).parameters.items()
            if about.get(name)
        }


def words(hint: Any) -> str:
    """Describe a type in words: "one of safe, soft", "a whole number from 1 to 200"."""
    inner = get_args(hint)
    if get_origin(hint) is Annotated:
        return f"{words(inner[0])} from {inner[1].ge:,} to {inner[1].le:,}"
    if get_origin(hint) is Literal:
        return f"one of {', '.join(inner)}"
    if get_origin(hint) is list:
        return f"a list of {words(inner[0])}"
    if inner:
        return " or ".join("a list of such" if get_args(part)[:1] == inner[:1] else words(part) for part in inner)
    return _WORDS[hint]


def choices(hint: Any) -> tuple[str, ...]:
    """Return the values that the Literals in a type list."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(dict.fromkeys(choice for part in get_args(hint) for choice in choices(part)))


def read_call(endpoints: Mapping[str, Endpoint], name: str, body: Any, by_name: bool = True) -> Any:
    """Check the body of a request to an endpoint, and return it in the form that Gradio expects.

    The body is an object of arguments if `by_name` is set. Otherwise its `data` is a list of arguments in order. Raise
    UsageError for an invalid body, because Gradio would respond with an empty error or with status 500.
    """
    known = endpoints[name].arguments
    listed = ", ".join(known)
    values: Any = body if by_name else body.get("data") if isinstance(body, dict) else None
    if by_name and not isinstance(values, dict):
        raise UsageError(f"/{name} takes a JSON object of its arguments: {listed}.")
    if not by_name and (not isinstance(values, list) or len(values) > len(known)):
        raise UsageError(
            f"/{name} takes a JSON object whose “data” is a list of its arguments, in this order: {listed}."
        )
    given = values if isinstance(values, dict) else dict(zip(known, values, strict=False))
    for key in given:
        if key not in known:
            raise UsageError(f"/{name} has no argument “{key[:40]}”.{suggestion(key, known)} It has: {listed}.")
    for argument in known.values():
        if argument.name in given:
            argument.check(given[argument.name])
        elif argument.default is inspect.Parameter.empty:
            raise UsageError(f"/{name} needs the argument “{argument.name}”, {words(argument.hint)}: {argument.about}")
    if by_name:
        return given
    session = body.get("session_hash")
    if not isinstance(session, str | None):
        raise UsageError("“session_hash” has to be text. It can be left out.")
    data = [given.get(argument.name, argument.default) for argument in known.values()]
    return {"data": data, "session_hash": session}


@dataclass(frozen=True)
class Endpoints:
    """The functions behind the endpoints. Clients and agents see the docstrings of these functions.

    `folder` holds the files that Gradio serves.
    """

    services: Services
    jobs: Jobs
    calls: Calls
    folder: Path

    @functools.cached_property
    def by_name(self) -> Mapping[str, Endpoint]:
        """Return the endpoints by name. A hosted page leaves out `pull`, because `pull` writes to the library."""
        functions = {
            "search": with_arguments(self.search, filter_arguments()),
            "show": self.show,
            "inspect": self.inspect,
            **({"pull": self.pull} if self.services.policy.allows("pull") else {}),
            "try": with_arguments(self.try_loras, field_arguments()),
            "compare": with_arguments(self.compare, field_arguments()),
        }
        return {name: Endpoint(function=function) for name, function in functions.items()}

    def check_call(self, name: str, endpoint: Endpoint) -> Callable[..., Any]:
        """Wrap the endpoint's function so that it runs with the caller's language and rights.

        The wrapper raises gr.Error, for values of the wrong type as well. Calls by position pass no other check.
        """
        function = endpoint.function
        visitors = self.services.visitors if self.services.settings.hosted else None

        @functools.wraps(function)
        def call(*values: Any) -> Any:
            with use_caller(visitors), plain_errors():
                for argument, value in zip(endpoint.arguments.values(), values, strict=False):
                    argument.check(value)
                return function(*values)

        call.__name__ = name
        return call

    def search(
        self,
        text: str = "",
        limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_RESULTS)] = 20,
        offline: bool = False,
        offset: Annotated[int, msgspec.Meta(ge=0, le=MOST_LEFT_OUT)] = 0,
        **filters: Any,
    ) -> dict[str, Any]:
        """Search LoRAs for image and video models on Hugging Face, CivitAI and Replicate in one list.

        A filter for a commercial licence is license:sell (the LoRA may be sold), license:sell_images (its images may
        be), or license:run_as_service; `permissions` of a record say what its licence allows, null for the unknown.

        Args:
            text: Words and filters, such as "ink rank:>=16 license:sell -anime"; empty lists everything.
            limit: The number of results, at most 200.
            offline: Whether to search only what was seen before, and to ask no hub.
            offset: How many results to leave out: those of the pages before.

        Returns:
            {"results": [records], "failures": [hubs that did not answer]}. A record's `ref` names it elsewhere.
        """
        given = {key: several(filters.get(field.attribute, field.default)) for key, field in PARAMETERS.items()}
        query = documents.query_of(text, given, limit=limit)
        return without_paths(documents.search(self.services, query, text, offline=offline, offset=offset).to_json())

    def show(self, ref: str) -> dict[str, Any]:
        """Show all metadata of one LoRA: its versions, files, examples, and the source of every claim.

        Args:
            ref: The LoRA as HUB:ID, the address of its page, or a hash of its file.

        Returns:
            A record with its versions.
        """
        return without_paths(documents.show(self.services, find_ref(self.services, ref)).to_json())

    def inspect(self, source: str) -> dict[str, Any]:
        """Read the architecture, rank and algorithm of a weight file from its header, without downloading the file.

        Args:
            source: A ref, the web address of a .safetensors, or the full path of one on the server.

        Returns:
            The facts of the file.
        """
        self.services.quotas.spend("opens")
        try:
            return self.services.lookup.inspect(find_ref(self.services, source)).to_json()
        except BadRef:
            path = Path(source)
            is_address = source.lower().startswith(("http://", "https://"))
            if not is_address and not path.is_absolute():
                raise
        # Visitors must reach neither this computer's files nor its network.
        self.services.policy.check("open paths")
        return (inspect_url(source) if is_address else inspect_path(path)).to_json()

    def pull(self, ref: str) -> dict[str, Any]:
        """Download a LoRA's file into the library of the server, and pin it in the lock file.

        Args:
            ref: The LoRA as HUB:ID, the address of its page, or a hash of its file.

        Returns:
            The entry of the lock file; `file_path` is the path of the file on the server.
        """
        self.services.policy.check("pull")
        entry = self.services.downloads.pull(find_ref(self.services, ref))
        return without_paths(documents.entry_json(self.services, entry))

    def try_loras(self, refs: str | list[str], prompt: str, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Generate one image with LoRAs applied, on the server. Missing files are downloaded first.

        Args:
            refs: LoRAs as HUB:ID, addresses of pages, or hashes of files. An empty list uses the base model alone.
            prompt: What the image shows. Trigger words are put in.

        Returns:
            The image, as a PNG that contains how it was made
            The report: seed, size, base, weights and notes
        """
        loras = [find_ref(self.services, ref) for ref in several(refs)]
        return self._make(loras, several(fields.get("weights")), settings_of(fields, prompt), comparison.single)

    def compare(
        self,
        refs: list[str],
        prompts: str | list[str] = "",
        seeds: Annotated[int, msgspec.Meta(ge=1, le=MOST_SEEDS)] = 1,
        **fields: Any,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Generate a sheet that compares several LoRAs: each alone, with the same prompts and seeds.

        Each LoRA has its own trigger words. A LoRA that does not fit the base is left out, and a note says why.

        Args:
            refs: 2 to 32 LoRAs as HUB:ID, addresses of pages, or hashes of files.
            prompts: What the images show, a row for each. Trigger words are put in.
            seeds: How many seeds each prompt is made from, a row for each.

        Returns:
            The sheet, as a PNG that contains how it was made
            The report: seed, size, base, weights and notes
        """
        loras, rows = [find_ref(self.services, ref) for ref in refs], several(prompts)
        generation, settings = self.services.generation, settings_of(fields, next(iter(rows), ""))
        planned = generation.plan(loras, several(fields.get("weights")), **settings)
        fit, places = generation.fit(planned), comparison.lora_slices(planned)
        strengths = [planned.adapters[places[i].start].weight for i in fit.kept]
        cells = partial(comparison.lora_columns, prompts=rows, seeds=seeds)
        return self._make([loras[i] for i in fit.kept], strengths, settings | {"base": fit.base}, cells, fit.aside)

    def _make(
        self,
        loras: Sequence[Ref],
        weights: Sequence[float],
        settings: Mapping[str, Any],
        cells: Callable[[GenerationRequest], comparison.Comparison],
        notes: Sequence[str] = (),
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        services = self.services
        sweep(self.folder, services.policy.limits.keep_seconds)

        def make(on_progress: Callable[[Any], None], is_cancelled: IsCancelled) -> GenerationResult:
            wanted = services.generation.request(
                loras, weights, on_progress=on_progress, is_cancelled=is_cancelled, **settings
            )
            callbacks = Callbacks(on_progress=on_progress, is_cancelled=is_cancelled)
            return services.generation.generate(wanted, cells(wanted), callbacks)

        name = "one" if cells is comparison.single else "loras"
        step = self._follow(start_job(services, self.jobs, loras, make, name=name, base=settings["base"] or ""))
        path = Path(tempfile.mkdtemp(dir=self.folder)) / f"hub-ui-{step.report.seed}.png"
        png_metadata.save_whole(step, path)
        image = gr.FileData(path=str(path), orig_name=path.name, mime_type="image/png").model_dump()
        return image, documents.result_json(step, path.name, (*notes, *step.report.notes))

    def _follow(self, id_: str) -> GenerationResult:
        """Wait for a job and return its result. Stop the job of a hosted page if the caller disconnects."""
        session, last_read = caller_session(), time.monotonic()
        for _number, step in self.jobs.follow(id_, beat=_BEAT_SECONDS):
            last_read = time.monotonic() if self.calls.is_read(session) else last_read
            if self.services.settings.hosted and time.monotonic() - last_read > ABANDONED_SECONDS:
                self.jobs.stop(id_)
            if isinstance(step, GenerationResult):
                return step
            if isinstance(step, Stopped):
                raise UsageError(step.text)
        raise UsageError(_(GONE))


def settings_of(fields: Mapping[str, Any], prompt: str) -> dict[str, Any]:
    """Return the settings of a generation request. The default seed is random."""
    names = {row.attribute for row in TRY_FIELDS}
    given = {name: value for name, value in fields.items() if value is not None and name in names}
    size = {"width": fields.get("width"), "height": fields.get("height")}
    chosen = TrySettings(**{"seed": random.randrange(_LARGEST_SEED), **given}).arguments()
    return chosen | size | {"prompt": prompt, "may_fetch": fields.get("fetch", False)}


def filter_arguments() -> list[Argument]:
    """Return the arguments for the filters in PARAMETERS. All other filters are written in the query's text."""
    arguments = []
    for field in PARAMETERS.values():
        item = str if field.is_open else Literal[field.choices()]
        hint = item | list[item] | None if field.form == "list" else item  # type: ignore[valid-type]
        default = None if field.form == "list" else field.default
        about = field.meaning.replace("`", "")
        arguments.append(Argument(name=field.attribute, hint=hint, about=about, default=default))
    return arguments


def field_arguments() -> list[Argument]:
    """Return the arguments for the fields of the Compare page, and OF_IMAGES, which have no field there."""
    arguments = []
    for row in (row for row in TRY_FIELDS if row.about):
        default = None if NoneType in get_args(row.hint) else row.default
        arguments.append(Argument(name=row.attribute, hint=row.hint, about=row.about, default=default))
    return [*arguments, *OF_IMAGES]


def with_arguments(function: Callable[..., Any], added: Sequence[Argument]) -> Callable[..., Any]:
    """Return `function` with the arguments in `added`, passed as keywords. Parameters are sorted by BY_POSITION."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    unsorted = [parameter for parameter in inspect.signature(function).parameters.values() if parameter.kind == kind]
    unsorted += [inspect.Parameter(argument.name, kind, default=argument.default) for argument in added]
    order = {name: place for place, name in enumerate(BY_POSITION)}
    parameters = sorted(unsorted, key=lambda parameter: order.get(parameter.name, len(order)))
    names = [parameter.name for parameter in parameters]

    def call(*values: Any) -> Any:
        return function(**dict(zip(names, values, strict=False)))

    hints = get_type_hints(function, include_extras=True) | {argument.name: argument.hint for argument in added}
    about = "".join(f"    {argument.name}: {argument.about}\n" for argument in added)
    # Use getdoc, because only Python 3.13 and later strip the indentation of __doc__.
    call.__doc__ = (inspect.getdoc(function) or "").replace("\nReturns:", f"{about}\nReturns:")
    call.__annotations__ = {name: hints[name] for name in names} | {"return": hints["return"]}
    call.__signature__ = inspect.Signature(parameters, return_annotation=hints["return"])  # type: ignore[attr-defined]
    return call


def several(value: Any) -> Sequence[Any]:
    """Return the values of an argument that takes one value or a list."""
    return value if isinstance(value, list) else [] if value is None else [value]


def without_paths(document: dict[str, Any]) -> dict[str, Any]:
    """Rename each key `path` to `file_path`: gradio_client takes a dictionary with a `path` for a file to download."""

    def rename(item: dict[str, Any]) -> dict[str, Any]:
        return {"file_path" if key == "path" else key: value for key, value in item.items()}

    renamed: dict[str, Any] = json.loads(json.dumps(document), object_hook=rename)
    return renamed


def add_endpoints(server: gr.Server, endpoints: Endpoints) -> None:
    """Register the endpoints before the launch, in the order of `by_name`, by which Gradio numbers them."""
    for name, endpoint in endpoints.by_name.items():
        # Generations need no limit here: they wait in the queue of jobs, together with generations of the page.
        at_once = None if name in GENERATING else MOST_AT_ONCE
        tool = server.mcp.tool(name=name)(endpoints.check_call(name, endpoint))
        server.api(name=name, concurrency_limit=at_once)(tool)


def describe_endpoints(server: gr.Server, endpoints: Endpoints) -> None:
    """Add each argument's type and description to Gradio's API information, after the launch."""
    info = server.get_blocks().get_api_info(all_endpoints=True)
    for name, endpoint in endpoints.by_name.items():
        for parameter in info["named_endpoints"][f"/{name}"]["parameters"]:
            argument = endpoint.arguments[parameter["parameter_name"]]
            kind = json_schema_to_python_type(argument.schema)
            parameter["type"] = {**argument.schema, "additional_description": argument.about}
            parameter["python_type"] = {"type": kind, "description": argument.about}
    server.api_info = server.all_app_info = info  # type: ignore[assignment]
    answer_agents_in_json(server, endpoints.by_name)


def answer_agents_in_json(server: gr.Server, endpoints: Mapping[str, Endpoint]) -> None:
    """Patch Gradio's MCP server to send each output as JSON, and not all together as Python's repr."""
    agents = server.get_blocks().mcp_server_obj
    if agents is None:
        return
    to_contents = agents.postprocess_output_data

    def postprocess(data: Sequence[Any], root_url: str) -> Any:
        outputs = data[0] if isinstance(data[0], list | tuple) else data
        files = [isinstance(one, dict) and (one.get("meta") or {}).get("_type") == "gradio.FileData" for one in outputs]
        texts = [one if is_file else json.dumps(one) for one, is_file in zip(outputs, files, strict=True)]
        return to_contents(texts, root_url)

    agents.postprocess_output_data = postprocess  # type: ignore[method-assign]
    for name, endpoint in endpoints.items():
        for parameter in agents.api_info["named_endpoints"][f"/{name}"]["parameters"]:
            parameter["type"] = endpoint.arguments[parameter["parameter_name"]].schema
    handlers = agents.mcp_server.request_handlers
    call = agents.types.CallToolRequest
    handlers[call] = tool_call_handler(agents, endpoints, handlers[call])


def tool_call_handler(
    agents: Any, endpoints: Mapping[str, Endpoint], answer: Callable[[Any], Awaitable[Any]]
) -> Callable[[Any], Awaitable[Any]]:
    """Wrap `answer` so that it refuses invalid arguments and adds the result as structured JSON to the text."""

    async def check_and_answer(request: Any) -> Any:
        tool, given = request.params.name, request.params.arguments or {}
        try:
            if tool in agents.tool_to_endpoint:
                read_call(endpoints, agents.tool_to_endpoint[tool].removeprefix("/"), given)
        except UsageError as error:
            text = agents.types.TextContent(type="text", text=error.message)
            return agents.types.ServerResult(agents.types.CallToolResult(content=[text], isError=True))
        result = await answer(request)
        if not result.root.isError:
            result.root.structuredContent = json.loads(result.root.content[-1].text)
        return result

    return check_and_answer
