import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from connectors.errors import DoesNotFit, Gated, HubDown, HubTimeout, HubUiError, KeyRequired, NeedsFetching, NoBase
from hub_ui.generate.base_models import PipelineSpec, SharedComponent, base_by_id, choose_base
from hub_ui.generate.base_models import download as base_models_download
from hub_ui.generate.base_models.download import Source, check_download, download
from hub_ui.generate.base_models.files import plan_download
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.hub_ui.generate.base_hub import save_hub, silently, text

NOWHERE = "http://127.0.0.1:9"
ELSEWHERE = {"pretrained_model_name_or_path": "maker/tiny", "subfolder": "tokenizer"}
MODULAR = {
    "_class_name": "AnimaModularPipeline",
    "vae": ["diffusers", "AutoencoderKL", {"pretrained_model_name_or_path": "maker/original", "subfolder": "vae"}],
    "tokenizer": ["transformers", "CLIPTokenizer", ELSEWHERE],
}


@pytest.fixture(scope="module")
def data(base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    modular = {
        "modular_model_index.json": text(MODULAR),
        "vae/config.json": {"path": "base/vae/config.json"},
        "vae/diffusion_pytorch_model.safetensors": {"path": "base/vae/diffusion_pytorch_model.safetensors"},
    }
    packing = {"quantization_config": {"quant_method": "nunchaku_lite"}}
    packed = {"model_index.json": {"path": "base/model_index.json"}, "unet/config.json": text(packing)}
    folder = tmp_path_factory.mktemp("data") / "hub"
    return save_hub(folder, Path(base), modular=modular, packed=packed)


@pytest.fixture(scope="module")
def hubs(data: Path) -> Iterator[HubEndpoints]:
    with running_hubs(data) as endpoints:
        yield endpoints


@pytest.fixture
def source(hubs: HubEndpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setattr("time.sleep", lambda _: None)  # the hub's client waits before it tries again
    return Source(endpoint=hubs.huggingface, cache=tmp_path / "cache")


@pytest.fixture
def offline(source: Source) -> Source:
    return replace(source, endpoint=NOWHERE)


def of(repo: str, **fields: Any) -> PipelineSpec:
    return replace(choose_base("sd1", None, repo), **fields)


def all_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


WEIGHTS = [
    "text_encoder/model.safetensors", "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
]  # fmt: skip


def test_a_plan_says_what_how_much_and_under_which_licence_and_fetches_no_weights(source: Source, base: str) -> None:
    planned = plan_download(of("maker/tiny"), source)
    files = [*Path(base).glob("*/*"), Path(base) / "model_index.json"]
    assert planned.bytes == sum(path.stat().st_size for path in files)
    assert (planned.repo, planned.license, planned.gated) == ("maker/tiny", "tiny-license", False)
    # The index was read for the plan, and whether the network is packed.
    assert planned.present == sum(
        (Path(base) / name).stat().st_size for name in ("model_index.json", "unet/config.json")
    )
    assert planned.missing == planned.bytes - planned.present
    assert len(planned.revision or "") == 40
    assert source.cache is not None
    assert {path.name for path in source.cache.rglob("*") if path.is_symlink()} == {"model_index.json", "config.json"}
    assert [file.filename for file in planned.files if file.filename.endswith(".safetensors")] == WEIGHTS


def test_only_what_the_pipeline_needs_is_fetched(source: Source) -> None:
    counts: list[int] = []
    planned = plan_download(of("maker/tiny"), source)
    fetched = download(planned, source, counts.append)
    found = all_of(fetched.folder)
    assert [name for name in found if not name.endswith((".json", ".txt"))] == WEIGHTS
    assert sum(counts) == planned.missing


def test_what_is_here_already_is_not_fetched_again(source: Source) -> None:
    fetched = download(plan_download(of("maker/tiny"), source), source, silently)
    (fetched.folder / WEIGHTS[0]).resolve().unlink()
    (fetched.folder / WEIGHTS[0]).unlink()
    planned = plan_download(of("maker/tiny"), source)
    assert [file.filename for file in planned.files if file.will_download] == [WEIGHTS[0]]
    assert 0 < planned.missing < planned.bytes
    assert download(planned, source, silently).folder == fetched.folder


def test_a_base_fetched_before_serves_without_the_hub(source: Source, offline: Source) -> None:
    first = download(plan_download(of("maker/tiny"), source), source, silently)
    again = plan_download(of("maker/tiny"), offline)
    assert (again.missing, again.revision) == (0, first.revision)
    assert download(again, offline, silently).folder == first.folder


def test_what_an_older_client_left_serves_too(source: Source, offline: Source) -> None:
    first = download(plan_download(of("maker/tiny"), source), source, silently)
    shutil.rmtree(first.folder.parents[1] / "trees")
    assert plan_download(of("maker/tiny"), offline).missing == 0
    (first.folder / WEIGHTS[1]).unlink()
    with pytest.raises(HubDown, match="could not be fetched"):
        plan_download(of("maker/tiny"), offline)


def test_the_commit_of_the_first_download_is_kept_to(source: Source, data: Path, tmp_path: Path) -> None:
    first = download(plan_download(of("maker/tiny"), source), source, silently)
    (changed := tmp_path / "changed").mkdir()
    save_hub(changed / "hub", data / "base", tiny={"model_index.json": text({})})
    with running_hubs(changed / "hub") as moved:
        later = replace(source, endpoint=moved.huggingface)
        assert plan_download(of("maker/tiny"), later).revision == first.revision


def test_a_pinned_commit_is_asked_for(source: Source) -> None:
    sha = plan_download(of("maker/tiny"), source).revision
    assert plan_download(of("maker/tiny", revision=sha), source).revision == sha
    with pytest.raises(NoBase, match="commit of maker/tiny that this version of the program uses is gone"):
        plan_download(of("maker/tiny", revision="0" * 40), source)


def test_a_download_is_stopped_by_who_watches_it(source: Source) -> None:
    def stop(_count: int) -> None:
        raise HubUiError("stopped")

    with pytest.raises(HubUiError, match="stopped"):
        download(plan_download(of("maker/tiny"), source), source, stop)


@pytest.mark.parametrize(
    ("repo", "said"),
    [
        ("maker/pickles", "no model in diffusers' layout with safetensors weights"),
        ("maker/nobody", "no base model maker/nobody at http://.*, which HF_ENDPOINT names in place of Hugging Face"),
        ("maker/broken", r"maker/broken's model_index\.json can't be read"),
        ("maker/packed", "maker/packed is packed by nunchaku_lite, which can't be unpacked here"),
    ],
)
def test_a_repo_that_is_no_base_is_told_before_its_download(source: Source, repo: str, said: str) -> None:
    with pytest.raises(NoBase, match=said):
        plan_download(of(repo), source)


def test_a_repo_of_another_architecture_does_not_fit(source: Source) -> None:
    with pytest.raises(DoesNotFit, match="LoRA is for sd1, but maker/flux is flux1"):
        plan_download(of("maker/flux"), source)


@pytest.mark.timeout(30)
def test_a_hub_that_hangs_is_not_waited_for_without_end(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_models_download, "OPEN_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as hub, pytest.raises(HubTimeout, match="did not answer in time"):
        plan_download(of("maker/tiny"), replace(source, endpoint=f"http://127.0.0.1:{hub.getsockname()[1]}"))


@pytest.mark.parametrize(
    ("token", "said"),
    [(None, "agree, and set HF_TOKEN to a key"), ("a-stranger", "doesn't give out maker/gated for your key yet")],
)
def test_a_gated_base_says_what_to_do(source: Source, token: str | None, said: str) -> None:
    with pytest.raises(Gated, match=said):
        plan_download(of("maker/gated"), replace(source, keys={"huggingface": token} if token else {}))


def test_a_gated_base_of_the_table_says_so_though_the_hub_hides_it(source: Source) -> None:
    with pytest.raises(Gated, match=r"open https://huggingface\.co/black-forest-labs/FLUX\.1-dev, agree"):
        plan_download(choose_base("flux1", None, None), source)


def test_who_was_let_in_gets_a_gated_base(source: Source, hubs: HubEndpoints) -> None:
    let_in = replace(source, keys={"huggingface": "let-in"})
    planned = plan_download(of("maker/gated"), let_in)
    assert planned.gated
    assert all_of(download(planned, let_in, silently).folder)[0] == "model_index.json"


def test_a_key_that_is_no_key_is_told(data: Path, source: Source, tmp_path: Path) -> None:
    save_hub(tmp_path / "strict", data / "base")
    (tmp_path / "strict" / "access.json").write_text('{"tokens": {"huggingface": ["good"]}}')
    with running_hubs(tmp_path / "strict") as strict, pytest.raises(KeyRequired, match="wants a key"):
        plan_download(
            of("maker/tiny"), Source(endpoint=strict.huggingface, keys={"huggingface": "bad"}, cache=tmp_path / "other")
        )


def test_gigabytes_are_agreed_to_first(source: Source) -> None:
    planned = plan_download(of("maker/huge"), source)
    with pytest.raises(NeedsFetching, match=r"maker/huge \(2\.0 GB from maker/huge\) has to be downloaded") as told:
        check_download(replace(planned, free=90_000_000_000), may_fetch=False)
    assert "90.0 GB are free" in told.value.message
    assert (told.value.label, told.value.repo, told.value.free) == ("maker/huge", "maker/huge", 90_000_000_000)
    assert (told.value.bytes, told.value.gated) == (planned.missing, False)


def test_what_was_agreed_to_is_fetched_and_little_without_asking(source: Source) -> None:
    check_download(replace(plan_download(of("maker/huge"), source), free=90_000_000_000), may_fetch=True)
    check_download(plan_download(of("maker/tiny"), source), may_fetch=False)


def test_nothing_is_fetched_for_who_may_not_complete_a_base(source: Source) -> None:
    with pytest.raises(NeedsFetching, match="maker/tiny"):
        check_download(plan_download(of("maker/tiny"), source), may_fetch=False, may_complete=False)


@pytest.mark.parametrize("may_fetch", [True, False])
def test_a_disk_without_room_is_told_with_both_figures(source: Source, may_fetch: bool) -> None:
    planned = replace(plan_download(of("maker/huge"), source), free=2_500_000_000)
    with pytest.raises(NoBase, match=r"no room for maker/huge \(2\.0 GB from maker/huge\): 2\.5 GB are free") as told:
        check_download(planned, may_fetch)
    assert not isinstance(told.value, NeedsFetching)


def test_a_disk_that_fills_up_meanwhile_is_told(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = plan_download(of("maker/tiny"), source)
    monkeypatch.setattr(base_models_download, "snapshot_download", Mock(side_effect=OSError(28, "Full.")))
    with pytest.raises(NoBase, match="The disk is full, and maker/tiny is not whole yet"):
        download(planned, source, silently)


def test_a_folder_takes_nothing(base: str, offline: Source) -> None:
    planned = plan_download(choose_base("sd1", None, base), offline)
    assert (planned.bytes, planned.repos, planned.repo) == (0, (), base)
    assert download(planned, offline, silently).folder == Path(base)


def test_parts_of_other_repos_are_fetched_from_there(source: Source, offline: Source) -> None:
    choice = replace(base_by_id("anima") or of("maker/tiny"), source="maker/modular", revision=None)
    planned = plan_download(choice, source)
    assert [(piece.repo, piece.part) for piece in planned.repos] == [
        ("maker/modular", None),
        ("maker/tiny", "tokenizer"),
    ]
    fetched = download(planned, source, silently)
    assert all_of(fetched.parts["tokenizer"]) == ["tokenizer.json", "tokenizer_config.json"]
    assert download(plan_download(choice, offline), offline, silently) == fetched


def test_parts_that_a_repo_leaves_out_are_borrowed(source: Source) -> None:
    llama = SharedComponent(part="text_encoder_4", kind="CLIPTextModel", repo="maker/tiny", folder="text_encoder")
    fetched = download(
        plan_download(of("maker/tiny", assumed=False, shared_components=(llama,)), source), source, silently
    )
    assert all_of(fetched.parts["text_encoder_4"]) == ["config.json", "model.safetensors"]
