"""A backend that is built with its first use."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from hub_ui.generate import comparison
from hub_ui.generate.backend import Backend, DeferredBackend
from hub_ui.generate.engine import Engine
from tests.hub_ui.generate.building import adapter, job


class Builder:
    """Counts how often an engine is built."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.count = engine, 0

    def __call__(self) -> Backend:
        self.count += 1
        return self.engine


def test_what_needs_no_image_builds_none(studio: Engine) -> None:
    build = Builder(studio)
    deferred = DeferredBackend(build)
    assert deferred.loaded_base is None
    deferred.close()
    assert build.count == 0


def test_many_first_uses_build_it_once(studio: Engine) -> None:
    build, barrier = Builder(studio), Barrier(8)
    deferred = DeferredBackend(build)

    def use(_number: int) -> Backend:
        barrier.wait()
        return deferred.backend

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(use, range(8))) == {studio}
    assert build.count == 1


def test_it_generates_as_the_one_behind_it(studio: Engine, base: str, kohya: Path) -> None:
    deferred, asked = DeferredBackend(lambda: studio), job(adapter(kohya), base=base)
    made = deferred.generate(asked, comparison.single(asked))
    assert made.images[0].image == studio.generate(asked, comparison.single(asked)).images[0].image
    assert deferred.loaded_base == studio.loaded_base
    assert deferred.loaded_base is not None
