"""hub-ui licenses: what each licence in the library permits, and what all permit together."""

from collections.abc import Iterable
from dataclasses import dataclass

from connectors.claims.resolve import flatten
from connectors.errors import NotFound
from connectors.record import Claim
from hub_ui import services
from hub_ui.commands.options import LibraryOptions
from hub_ui.library.license_summary import QUESTIONS, LicenseSummary, summarize_licenses
from hub_ui.library.lockfile import Entry
from hub_ui.terminal import Terminal

_NAMES = 3


@dataclass(frozen=True, kw_only=True)
class Licenses(LibraryOptions):
    def run(self, terminal: Terminal) -> int:
        with services.build(self.settings()) as built:

            def claims(entry: Entry) -> Iterable[Claim]:
                """From the catalog, which may not know the LoRAs of a lock file from elsewhere."""
                try:
                    lora = built.catalog.lora(entry.ref)
                except NotFound:
                    return ()
                version = lora.version(entry.ref.version)
                return flatten(lora, version, version.find_file(entry.ref)).claims if version else lora.claims

            found = summarize_licenses(built.library.entries(), claims)
        if not terminal.json:
            _print(found, terminal)
            return 0
        entries = [
            {
                "ref": str(one.entry.ref),
                "title": one.entry.title,
                "license": one.license,
                "license_terms": one.terms,
                "base_model": one.entry.base_model,
                "base_license": one.base,
                "base_license_terms": one.base_terms,
                "permits": dict(one.answers),
                "conditions": list(one.conditions),
            }
            for one in found.each
        ]
        together = {
            question: {"answer": verdict.answer, "because": [str(entry.ref) for entry in verdict.because]}
            for question, verdict in found.together.items()
        }
        terminal.document({"entries": entries, "together": together, "conditions": list(found.conditions)})
        return 0


def _print(found: LicenseSummary, terminal: Terminal) -> None:
    if not found.each:
        terminal.line("The lock file holds no LoRA.")
        return
    rows = [(p.entry.title, p.base or "unknown", p.license or "unknown") for p in found.each]
    terminal.table(("TITLE", "BASE MODEL'S LICENCE", "LICENCE"), rows)
    terminal.line()
    terminal.line(f"May you, with all {len(found.each):,} together:")
    verdicts = []
    for question, words in QUESTIONS.items():
        verdict = found.together[question]
        names = ", ".join(entry.title for entry in verdict.because[:_NAMES])
        more = f" and {len(verdict.because) - _NAMES:,} more" if len(verdict.because) > _NAMES else ""
        verdicts.append((f"  {words}", f"{verdict.answer}: {names}{more}" if names else verdict.answer))
    terminal.facts(verdicts)
    if found.conditions:
        terminal.line(f"Conditions: {'; '.join(found.conditions)}.")
    terminal.line("A summary to choose by, and no legal advice. Unknown is no permission.")
