from hub_ui.app.jobs import Jobs, JobSubject
from hub_ui.base.i18n import N_, Language, _, language, ngettext, use_language
from hub_ui.locales import get_language
from tests.programs import python


def test_english_is_what_the_sources_say_and_the_empty_text_is_empty_in_every_language() -> None:
    assert (language().code, _("Search"), N_("Search"), _("")) == ("en", "Search", "Search", "")
    assert [ngettext("{n} file", "{n} files", n).format(n=n) for n in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    with use_language(get_language("ja")):
        assert _("") == ""
    assert [Language().compact(n) for n in (0, 999, 12_400, 120_000, 2_000_000)] == ["0", "999", "12.4k", "120k", "2M"]
    assert [Language().number(1234), Language().number(1234.56, 1)] == ["1,234", "1,234.6"]


def test_a_language_holds_until_its_block_ends_and_work_in_a_thread_speaks_that_of_the_page() -> None:
    with use_language(get_language("ja")):
        with use_language(get_language("zh-CN")):
            assert _("Search") == "搜索"
        assert _("Search") == "検索"
    assert _("Search") == "Search"
    jobs = Jobs()
    with use_language(get_language("ja")):
        id_ = jobs.start(JobSubject(), lambda _put, _is_cancelled: language().code)
    assert list(jobs.follow(id_, beat=60))[-1] == (1, "ja")


def test_the_command_line_loads_no_babel() -> None:
    script = "import sys, hub_ui.commands.cli, hub_ui.base.format, hub_ui.settings; print('babel' in sys.modules)"
    assert python("-c", script).stdout == "False\n"
