"""The commands hub-ui pull, sync, outdated, duplicates and licenses."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from connectors.claims.resolve import flatten
from connectors.errors import NotFound, UsageError
from connectors.record import Claim, Lora
from connectors.ref import Ref
from hub_ui import commands, settings
from hub_ui.app import documents, services
from hub_ui.app.documents import other_half
from hub_ui.app.services import Services
from hub_ui.app.used_loras import find_ref
from hub_ui.base.format import plural, size
from hub_ui.base.json_values import attributes
from hub_ui.commands.terminal import Terminal
from hub_ui.library.download import sync
from hub_ui.library.download.partial_file import Meter
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry
from hub_ui.library.upkeep.collections import QUESTIONS, LicenseSummary, summarize_licenses
from hub_ui.library.upkeep.duplicates import Duplicates, find_duplicates
from hub_ui.library.upkeep.outdated import UpdateRule, UpdateStatus, check_for_updates, parse_rule

_ALIKE = {"bytes": "same bytes", "weights": "same weights, other metadata", "versions": "versions of one LoRA"}
_NAMES_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Pull(commands.LibraryOptions):
    refs: Annotated[list[str], commands.argument("REF", "A web address, or HUB:ID.")]
    names: commands.Names = None
    force: Annotated[bool, commands.flag("--force", "Also a file in which the hub's scan found danger.")] = False

    def run(self, terminal: Terminal) -> int:
        chosen = settings.from_environment(os.environ, library=self.library, lock=self.lock, names=self.names)
        meter = Meter(on_progress=commands.progress_callback(terminal))
        with services.build(chosen) as built:

            def pull(ref: Ref) -> Entry:
                entry = built.downloads.pull(ref, meter, force=self.force)
                if entry.ref.hub != ref.hub:
                    terminal.note(f"{ref} is also at {entry.ref}, which is where its bytes are from.")
                facts = built.lookup.inspect(entry.ref).adapter
                if not facts.is_lora:
                    warnings = " ".join(facts.warnings)
                    terminal.note(f"{entry.ref}: {warnings} It is in the library, and can't be tried here.")
                if other_half(built, entry) is not None:
                    terminal.note(
                        f"“{entry.title}” is two files, for much noise and for little: both are in the library."
                    )
                return entry

            results = commands.try_each(
                [commands.parse_ref(text, partial(find_ref, built)) for text in self.refs], pull, terminal
            )
            entries = [entry for entry in results if isinstance(entry, Entry)]
            both = [half for entry in entries for half in (entry, other_half(built, entry)) if half is not None]
            paths = [str(built.library.path(entry)) for entry in dict.fromkeys(both)]
            terminal.show(
                commands.results_json(results, partial(documents.entry_json, built)), lambda: terminal.lines(paths)
            )
        return commands.worst_exit_code(results)


@dataclass(frozen=True, kw_only=True)
class Sync(commands.LibraryOptions):
    frozen: Annotated[
        bool,
        commands.flag("--frozen", "For CI: also ask the hubs whether they still have the bytes of the files here."),
    ] = False

    def run(self, terminal: Terminal) -> int:
        with services.build(self.settings()) as built:
            job = sync.Sync(
                library=built.library,
                connector=built.lookup.connector,
                refs_of=built.catalog.by_sha256,
                frozen=self.frozen,
                meter=Meter(on_progress=commands.progress_callback(terminal)),
                explain=built.lookup.explain,
            )
            results = []
            for result in job.run():
                results.append(result)
                if result.error is not None:
                    terminal.note(f"{result.entry.ref}: {result.error.message}")
        document = {
            "lock": str(built.library.lock),
            "library": str(built.library.folder),
            "frozen": self.frozen,
            "ok": all(result.error is None for result in results),
            "entries": [_sync_json(built.library, result) for result in results],
        }
        terminal.show(document, lambda: _print_sync(results, terminal))
        return commands.worst_exit_code(result.error for result in results)


def _sync_json(library: Library, result: sync.SyncResult) -> dict[str, Any]:
    entry = {**commands.entry_json(library, result.entry), "sha256": result.entry.sha256}
    return {**entry, **attributes(result, "state", "source"), **commands.error_json(result.error)}


def _print_sync(results: Sequence[sync.SyncResult], terminal: Terminal) -> None:
    rows = [(result.state, result.entry.title, result.entry.file) for result in results]
    terminal.table(("STATE", "TITLE", "FILE"), [row for row in rows if row[0] != "kept"])
    states = commands.count_states(result.state for result in results) or "nothing to do"
    terminal.line(f"{plural(len(results), 'LoRA')} in the lock file: {states}.")


@dataclass(frozen=True, kw_only=True)
class Outdated(commands.LibraryOptions):
    all: Annotated[bool, commands.flag("--all", "Also show updates that a rule ignores.")] = False
    ignore: Annotated[
        list[str] | None,
        commands.option("RULE", "Ignore a version (REF@VERSION), a LoRA (REF), or a base model (base:NAME)."),
    ] = None
    lift: Annotated[list[str] | None, commands.option("RULE", "Lift a rule.")] = None
    rules: Annotated[bool, commands.flag("--rules", "List the rules.")] = False

    def run(self, terminal: Terminal) -> int:
        if self.rules + bool(self.ignore) + bool(self.lift) > 1:
            raise UsageError("Choose one: --ignore, --lift or --rules.")
        with services.build(self.settings()) as built:
            if self.rules or self.ignore or self.lift:
                return self._change_rules(built, terminal)
            rules = built.update_rules.all()

            def get(ref: Ref) -> Lora:
                terminal.progress(f"Asking about {ref}")
                return built.lookup.fetch(ref, is_patient=True)

            results = tuple(check_for_updates(built.library.entries(), get, rules))
        entries = [
            {
                **commands.entry_json(built.library, result.entry),
                **attributes(result, "state", "newest", "newest_name", "newest_at", "note", "rule"),
                **commands.error_json(result.error),
            }
            for result in results
        ]
        terminal.show({"entries": entries}, lambda: self._print(results, terminal))
        return commands.worst_exit_code(result.error for result in results)

    def _print(self, results: tuple[UpdateStatus, ...], terminal: Terminal) -> None:
        hidden = {"current"} if self.all else {"current", "ignored"}
        rows = [(r.state, r.entry.title, _describe_update(r)) for r in results if r.state not in hidden]
        terminal.table(("STATE", "TITLE", "ABOUT"), rows)
        terminal.line(f"{plural(len(results), 'LoRA')}: {commands.count_states(result.state for result in results)}.")
        if not self.all and any(result.state == "ignored" for result in results):
            terminal.note(f"hub-ui: see what is ignored with {self.command('outdated', '--all')}")
        if any(result.state == "newer" for result in results):
            pull, remove = self.command("pull", "REF"), self.command("remove", "REF")
            terminal.note(f"hub-ui: get a newer one with {pull}, and drop the old one with {remove}")

    def _change_rules(self, built: Services, terminal: Terminal) -> int:
        for text in self.ignore or ():
            built.update_rules.add(_with_hash(built, parse_rule(text)))
        for text in self.lift or ():
            built.update_rules.lift(parse_rule(text))
        rules = built.update_rules.all()

        def print_rules() -> None:
            terminal.table(("IGNORED", "WHAT"), [(rule.kind, str(rule)) for rule in rules])
            terminal.line(f"{plural(len(rules), 'rule')}.")

        terminal.show({"rules": [{"rule": str(rule), "kind": rule.kind} for rule in rules]}, print_rules)
        return 0


def _with_hash(built: Services, rule: UpdateRule) -> UpdateRule:
    """Add the file's hash to a rule for a version, if the catalog knows it (see UpdateRule)."""
    if rule.kind != "version":
        return rule
    try:
        return UpdateRule(kind="version", value=rule.value, sha256=built.catalog.file(Ref.parse(rule.value)).sha256)
    except NotFound:
        return rule


def _describe_update(result: UpdateStatus) -> str:
    if result.error is not None:
        return result.error.message
    newest = f"{result.newest_name or ''}  {result.newest}" if result.newest else ""
    rule = f"ignored by {result.rule}" if result.rule else ""
    return "  ".join(part for part in (newest.strip(), result.note, rule) if part)


@dataclass(frozen=True, kw_only=True)
class DuplicatesCommand(commands.LibraryOptions):
    def run(self, terminal: Terminal) -> int:
        with services.build(self.settings()) as built:
            duplicates = find_duplicates(
                built.library,
                built.downloads.other_half,
                lambda done, total: terminal.progress(f"Comparing: {done:,} of {total:,}", done / total),
            )
        # Count only files with the same bytes, because a file may be in several groups.
        gain = sum(one.gain for one in duplicates if one.kind == "bytes")
        groups = [
            {
                **attributes(one, "kind", "gain"),
                "files": [{**attributes(file, "file", "size"), **attributes(file.entry, "ref")} for file in one.files],
            }
            for one in duplicates
        ]
        terminal.show({"gain": gain, "groups": groups}, lambda: _print_duplicates(duplicates, gain, terminal))
        return 0


def _print_duplicates(duplicates: Sequence[Duplicates], gain: int, terminal: Terminal) -> None:
    for group in duplicates:
        terminal.line(f"{_ALIKE[group.kind]}, {size(group.gain, precise=True)} to gain:")
        terminal.lines(f"  {file.file}  {file.entry.ref if file.entry else 'without an entry'}" for file in group.files)
    terminal.line(f"{plural(len(duplicates), 'group')}, {size(gain, precise=True)} to gain. Nothing was removed.")


@dataclass(frozen=True, kw_only=True)
class Licenses(commands.LibraryOptions):
    def run(self, terminal: Terminal) -> int:
        with services.build(self.settings()) as built:

            def claims(entry: Entry) -> Iterable[Claim]:
                # The catalog may not know the LoRAs of another computer's lock file.
                lora = built.catalog.find(entry.ref)
                if lora is None:
                    return ()
                version = lora.version(entry.ref.version)
                return flatten(lora, version, version.find_file(entry.ref)).claims if version else lora.claims

            summary = summarize_licenses(built.library.entries(), claims)
        entries = [
            {
                **attributes(item.entry, "ref", "title", "base_model"),
                **attributes(item, "license", "conditions"),
                "license_terms": item.terms,
                "base_license": item.base,
                "base_license_terms": item.base_terms,
                "permits": dict(item.answers),
            }
            for item in summary.each
        ]
        together = {
            question: {"answer": answer, "because": [str(entry.ref) for entry in because]}
            for question, (answer, because) in summary.together.items()
        }
        document = {"entries": entries, "together": together, "conditions": list(summary.conditions)}
        terminal.show(document, lambda: _print_licenses(summary, terminal))
        return 0


def _print_licenses(summary: LicenseSummary, terminal: Terminal) -> None:
    if not summary.each:
        terminal.line("The lock file holds no LoRA.")
        return
    rows = [(item.entry.title, item.base or "unknown", item.license or "unknown") for item in summary.each]
    terminal.table(("TITLE", "BASE MODEL'S LICENCE", "LICENCE"), rows)
    terminal.line()
    terminal.line(f"May you, with all {len(summary.each):,} together:")
    verdicts = []
    for question, words in QUESTIONS.items():
        answer, because = summary.together[question]
        by_base = {item.entry for item in summary.each if item.own[question] == "yes"}
        titles = (f"the base of {entry.title}" if entry in by_base else entry.title for entry in because)
        # Drop repeated titles, because the two files of a two-file LoRA have the same one.
        names, more = list(dict.fromkeys(titles)), ""
        if len(names) > _NAMES_SHOWN:
            names, more = names[:_NAMES_SHOWN], f" and {len(names) - _NAMES_SHOWN:,} more"
        verdicts.append((f"  {words}", f"{answer}: {', '.join(names)}{more}" if names else answer))
    terminal.facts(verdicts)
    if summary.conditions:
        terminal.line(f"Conditions: {'; '.join(summary.conditions)}.")
    terminal.line("A summary to choose by, and no legal advice. Unknown is no permission.")
