import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import connectors
from connectors.errors import HubDown, KeyRequired, RateLimited
from connectors.record import Claim, Lora
from hub_ui.commands import cli
from tests.hub_ui.library.shared_hubs import Line
from tests.hub_ui.stand_ins import Hub, lora

ROOT = Path(__file__).resolve().parents[3]
DOWN = HubDown("CivitAI can't be reached.", hub="civitai")
NO_KEY = KeyRequired("Replicate wants a key.", hub="replicate")
NOTHING = "Nothing found{}. Fewer words or fewer filters find more.\n"


@pytest.fixture
def hubs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Hub]:
    """The three hubs the command line finds, one LoRA on each."""
    made = {hub.name: hub for hub in (Hub(name="civitai"), Hub(name="huggingface"), Hub(name="replicate"))}
    for hub in made.values():
        hub.loras.append(lora(hub.name))
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: tuple(made.values()))
    return {str(name): hub for name, hub in made.items()}


def test_search_gives_records_of_every_hub(hubs: dict[str, Hub], line: Line) -> None:
    code, answer = line("search", "Ink")
    assert sorted(record["hub"] for record in answer["results"]) == ["civitai", "huggingface", "replicate"]
    assert (code, answer["results"][0]["trigger_words"], answer["failures"]) == (0, ["inkstyle"], [])


def test_a_hub_that_is_down_costs_its_own_results_only(hubs: dict[str, Hub], line: Line) -> None:
    hubs["civitai"].error = DOWN
    code, answer = line("search", "Ink")
    assert (code, [record["hub"] for record in answer["results"]]) == (0, ["huggingface", "replicate"])
    assert answer["failures"] == [
        {"hub": "civitai", "error": "HubDown", "message": "CivitAI can't be reached.", "retry_after": None}
    ]
    assert (line.words("search", "Ink", "--hub", "civitai"), line.err) == ((5, ""), f"civitai: {DOWN.message}\n")
    line.run("search", "nowhere")
    assert line.err.endswith("\n" + NOTHING.format(" on the hubs that answered"))


def test_a_missing_key_is_a_failure_and_no_error_unless_asked_alone(hubs: dict[str, Hub], line: Line) -> None:
    hubs["replicate"].error = NO_KEY
    code, answer = line("search", "Ink")
    assert (code, [failure["error"] for failure in answer["failures"]]) == (0, ["KeyRequired"])
    assert line.run("search", "Ink", "--hub", "replicate") == 3


def test_no_hub_left_to_ask_and_nothing_found_there_are_no_errors(hubs: dict[str, Hub], line: Line) -> None:
    hubs["civitai"].error = DOWN
    assert (line.words("search", "hub:civitai -hub:civitai"), line.err) == ((0, ""), NOTHING.format(""))
    assert hubs["civitai"].asked == []
    code, answer = line("search", "nowhere")
    assert (code, answer["results"]) == (0, [])


def test_with_every_hub_down_search_ends_with_the_worst_of_them(hubs: dict[str, Hub], line: Line) -> None:
    hubs["civitai"].error = DOWN
    hubs["huggingface"].error = RateLimited("Slow down.", hub="huggingface", retry_after=30)
    hubs["replicate"].error = NO_KEY
    code, answer = line("search", "Ink")
    told = sorted(failure["error"] for failure in answer["failures"])
    assert (code, told) == (6, ["HubDown", "KeyRequired", "RateLimited"])


@pytest.mark.parametrize(
    ("words", "near"),
    [
        ("serach Ink", "“search”"),
        ('search "Ink knd:style"', "“kind”"),
        ("search nowhere --base sdxxl", "“sdxl”, “sdxl-1.0” or “sdxl-0.9”"),
        ("search license:apache2", "“apache-2.0”"),
        ("search Ink --hub civitia", "“civitai”"),
        ("search Ink --kind styl", "“style”"),
        ("search Ink --sort newst", "“newest”"),
    ],
)
def test_a_misspelled_name_is_told_with_near_ones(words: str, near: str, hubs: dict[str, Hub], line: Line) -> None:
    hubs["replicate"].error = NO_KEY
    assert line.run(*shlex.split(words)) == 2
    assert f"Did you mean {near}?" in line.err


def on_base(name: str) -> Lora:
    return lora(claims=(Claim(field="base_model", value=name, source="hub", where="baseModel"),))


def test_a_base_or_licence_that_was_seen_before_is_no_mistake(hubs: dict[str, Hub], line: Line) -> None:
    hubs["civitai"].loras = [on_base("Halcyon 2")]
    hubs["huggingface"].loras = [lora(claims=(Claim(field="license", value="Own-1", source="card", where="x"),))]
    line.run("search", "Ink")
    assert line.run("search", "nowhere", "--base", "halcyon 2") == 0
    assert line.run("search", "nowhere license:own-1") == 0
    assert line.run("search", "nowhere license:mit") == 0


def test_a_name_that_nobody_knows_is_told_beside_what_was_found(hubs: dict[str, Hub], line: Line) -> None:
    assert line.run("search", "Ink license:blah") == 2
    assert "Or choose a use that it must allow: sell_images, run_as_service, sell, merge, no_credit." in line.err
    assert line.run("search", "--", "Ink -license:blah") == 0
    assert "“blah” is no licence known here" in line.err
    assert line.run("search", "Ink", "--base", "sdxl", "--base", "pny") == 0
    assert "No base model is called “pny”" in line.err
    assert line.run("search", "creator:adda -tag:kni") == 0
    assert "No LoRA seen so far is by “adda”. Did you mean “ada”?" in line.err
    assert "No LoRA seen so far has the tag “kni”." in line.err


def test_search_prints_a_table_without_what_is_hostile_in_titles(hubs: dict[str, Hub], line: Line) -> None:
    words = ("search", "Ink", "--hub", "civitai")
    table = (
        "TITLE      BY   BASE MODEL  KIND  DOWNLOADS  REF\n"
        "Ink lines  ada  sdxl              1,234      civitai:1001@2001#3001\n"
    )
    assert (line.words(*words), line.err) == ((0, table), "")
    hubs["civitai"].loras = [lora(title="Ink \x1b[2J\u202elines\x07")]
    assert "Ink [2Jlines" in line.words(*words)[1]
    line(*words)
    assert line.out.isascii()


def test_every_version_and_file_is_shown_with_the_facts_and_who_said_them(hubs: dict[str, Hub], line: Line) -> None:
    code, shown = line("show", "civitai:1001")
    assert (code, shown["ref"], shown["title"]) == (0, "civitai:1001@2001#3001", "Ink lines")
    assert [file["ref"] for version in shown["versions"] for file in version["files"]] == ["civitai:1001@2001#3001"]
    code, text = line.words("show", "hf:ada/ink-lines")
    assert (code, "trigger words  inkstyle\n" in text) == (0, True)
    assert "base_model = sdxl  (hub: baseModel)\n" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("pull", "Missing argument 'REF'. Try: hub-ui pull --help"),
        ("search a --limit many", "'many' is no whole number from 1 to 10000. Try: hub-ui search --help"),
        ("search a --limti 3", "No such option: --limti (Possible options: --limit). Try: hub-ui search --help"),
        ("search a b", "Got unexpected extra argument(s) (b). Try: hub-ui search --help"),
        ("export --for gimp", "'gimp' is not one of 'a1111', 'comfyui', 'diffusers'. Try: hub-ui export --help"),
        ("--quick", "No such option: --quick. Try: hub-ui --help"),
        ("", "Try: hub-ui --help"),
        ("nonsense", "“nonsense” is no command. Try: hub-ui --help"),
        ("search a --limit 0", "'0' is no whole number from 1 to 10000"),
        ("search a --sort best", "no value for sort"),
        ("serve --port 99999", "'99999' is no whole number from 0 to 65535"),
        ("try", "A REF and a --prompt are needed"),
        ("export", "Missing option '--for'. Choose from: a1111, comfyui, diffusers."),
        ("news --save a --remove b", "Choose one: --save or --remove."),
    ],
)
def test_a_typing_mistake_names_what_is_wrong_also_as_json(words: str, message: str, line: Line) -> None:
    assert line.words(*words.split()) == (2, "")
    assert (line.err.startswith("hub-ui: "), message in line.err) == (True, True)
    code, document = line(*words.split())
    assert (code, document.keys()) == (2, {"error", "message"})


def test_a_folder_that_cannot_be_made_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hubs: dict[str, Hub], line: Line
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HUB_UI_HOME", str(tmp_path / "file" / "home"))
    code, document = line("search", "a")
    assert (code, document.keys()) == (1, {"error", "message"})


def process(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run(
        [sys.executable, "-m", "hub_ui.commands.cli", *words], cwd=ROOT, text=True, timeout=60, **options
    )


def test_help_names_every_command_and_each_has_its_options() -> None:
    done = process("--help")
    assert done.returncode == 0
    listed = re.findall(r"^│ ([a-z]+)  +[A-Z]", done.stdout, re.MULTILINE)
    assert (listed, "<bool>" in done.stdout) == (list(cli.COMMANDS), False)
    for name in cli.COMMANDS:
        command = cli.load_command(name)
        assert ("json" in [param.name for param in command.params]) == (name not in ("demo", "hubs", "serve", "worker"))


def test_help_of_a_command_lists_its_options_and_no_flag_looks_as_if_it_took_a_value() -> None:
    done = process("try", "--help")
    assert done.returncode == 0
    assert {"--out", "--compare", "--base", "--json"} <= set(re.findall(r"--[a-z-]+", done.stdout))
    assert ("\x1b" in done.stdout, "<bool>" in done.stdout) == (False, False)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no bash")
def test_the_shell_is_told_how_to_complete() -> None:
    lines = f"{shlex.quote(sys.executable)} -m hub_ui --show-completion; exit $?"
    done = subprocess.run(["bash", "-c", lines], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "complete -o default -F _hub_ui_completion hub-ui" in done.stdout


@pytest.mark.parametrize(
    ("line", "completions"),
    [
        ("hub-ui se", ["serve", "search"]),
        ("hub-ui search --of", ["--offline"]),
        ("hub-ui export --for c", ["comfyui"]),
        ("hub-ui nothing --of", []),
    ],
)
def test_commands_options_and_choices_are_completed(line: str, completions: list[str]) -> None:
    variables = {"_HUB_UI_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = process(env={**os.environ, **variables})
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, completions, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_behind_standard_output_is_an_error() -> None:
    with open("/dev/full", "w") as full:
        done = process("search", "a", "--offline", "--json", stdout=full)
    assert (done.returncode, done.stderr) == (1, "hub-ui: No space left on device\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_reader_that_left_is_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    done = process("search", "a", "--offline", "--json", stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (cli.PIPE_CLOSED, "")
