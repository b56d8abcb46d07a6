from tests.hub_ui.generate.pipelines.short_form import every_third, one_of_each

ROWS = ("a1", "a2", "a3", "b1", "b4", "c1")


def in_make_test(rows: list[object]) -> list[object]:
    return [row for row in rows if isinstance(row, str)]


def test_each_architecture_and_each_format_stays_and_little_else() -> None:
    chosen = one_of_each(ROWS, lambda row: row[0], lambda row: row[1])
    assert len(chosen) == 6
    assert in_make_test(chosen) == ["a1", "a2", "a3", "b4", "c1"]


def test_three_tests_have_each_row_once() -> None:
    shares = [in_make_test(every_third(ROWS, start)) for start in range(3)]
    assert shares == [["a1", "b1"], ["a2", "b4"], ["a3", "c1"]]
