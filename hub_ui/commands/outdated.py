"""hub-ui outdated: newer versions of the LoRAs in the library, and rules that ignore some of them."""

from dataclasses import dataclass
from typing import Annotated, Any

from connectors.errors import NotFound, UsageError
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui import services
from hub_ui.commands.options import (
    LibraryOptions,
    count_states,
    entry_json,
    error_json,
    flag,
    option,
    worst_exit_code,
)
from hub_ui.format import plural
from hub_ui.library.outdated import UpdateStatus, check_for_updates
from hub_ui.library.update_rules import UpdateRule, parse_rule
from hub_ui.services import Services
from hub_ui.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class Outdated(LibraryOptions):
    all: Annotated[bool, flag("--all", "Also show updates that a rule ignores.")] = False
    ignore: Annotated[
        list[str] | None, option("RULE", "Ignore a version (REF@VERSION), a LoRA (REF), or a base model (base:NAME).")
    ] = None
    lift: Annotated[list[str] | None, option("RULE", "Lift a rule.")] = None
    rules: Annotated[bool, flag("--rules", "List the rules.")] = False

    def run(self, terminal: Terminal) -> int:
        if self.rules + bool(self.ignore) + bool(self.lift) > 1:
            raise UsageError("Choose one: --ignore, --lift or --rules.")
        with services.build(self.settings()) as built:
            if self.rules or self.ignore or self.lift:
                return self._change_rules(built, terminal)
            rules = built.update_rules.all()

            def get(ref: Ref) -> Lora:
                terminal.progress(f"Asking about {ref}")
                lora = built.lookup.connector(ref.hub).get(ref)
                built.catalog.add([lora])
                return lora

            results = tuple(check_for_updates(built.library.entries(), get, rules))
        if terminal.json:
            terminal.document({"entries": [{**entry_json(built.library, r.entry), **_status_json(r)} for r in results]})
        else:
            self._print(results, terminal)
        return worst_exit_code(result.error for result in results)

    def _print(self, results: tuple[UpdateStatus, ...], terminal: Terminal) -> None:
        hidden = {"current"} if self.all else {"current", "ignored"}
        rows = [(r.state, r.entry.title, _describe_update(r)) for r in results if r.state not in hidden]
        terminal.table(("STATE", "TITLE", "ABOUT"), rows)
        terminal.line(f"{plural(len(results), 'LoRA')}: {count_states(result.state for result in results)}.")
        if not self.all and any(result.state == "ignored" for result in results):
            terminal.note("hub-ui: see what is ignored with hub-ui outdated --all")
        if any(result.state == "newer" for result in results):
            terminal.note("hub-ui: get a newer one with hub-ui pull REF, and drop the old one with hub-ui remove REF")

    def _change_rules(self, built: Services, terminal: Terminal) -> int:
        for text in self.ignore or ():
            built.update_rules.add(_with_hash(built, parse_rule(text)))
        for text in self.lift or ():
            built.update_rules.lift(parse_rule(text))
        rules = built.update_rules.all()
        if terminal.json:
            terminal.document({"rules": [{"rule": str(rule), "kind": rule.kind} for rule in rules]})
        else:
            terminal.table(("IGNORED", "WHAT"), [(rule.kind, str(rule)) for rule in rules])
            terminal.line(f"{plural(len(rules), 'rule')}.")
        return 0


def _with_hash(built: Services, rule: UpdateRule) -> UpdateRule:
    """As the catalog knows it: see UpdateRule."""
    if rule.kind != "version":
        return rule
    try:
        return UpdateRule(kind="version", value=rule.value, sha256=built.catalog.file(Ref.parse(rule.value)).sha256)
    except NotFound:
        return rule


def _status_json(result: UpdateStatus) -> dict[str, Any]:
    return {
        "state": result.state,
        "newest": str(result.newest) if result.newest else None,
        "newest_name": result.newest_name,
        "newest_at": result.newest_at,
        "note": result.note,
        "rule": str(result.rule) if result.rule else None,
        **error_json(result.error),
    }


def _describe_update(result: UpdateStatus) -> str:
    if result.error is not None:
        return result.error.message
    newest = f"{result.newest_name or ''}  {result.newest}" if result.newest else ""
    rule = f"ignored by {result.rule}" if result.rule else ""
    return "  ".join(part for part in (newest.strip(), result.note, rule) if part)
