from gpubench_tui.engine.text.grouping import first_names, group_labels


def test_what_is_said_of_several_runs_is_said_once_in_the_order_it_came() -> None:
    said = [("a", "slow"), ("b", "hot"), ("c", "slow"), ("c", "slow")]
    assert group_labels(said) == [("a, c", "slow"), ("b", "hot")]


def test_names_with_commas_are_kept_apart_by_semicolons() -> None:
    assert group_labels([("ddp x2, bf16", "slow"), ("b", "slow")]) == [("ddp x2, bf16; b", "slow")]


def test_many_names_are_counted() -> None:
    assert group_labels((name, "slow") for name in "abcd") == [("a, b, c, d", "slow")]
    assert group_labels((name, "slow") for name in "abcdefg") == [("a, b, c and 4 more", "slow")]


def test_of_many_names_the_first_are_given() -> None:
    assert [first_names("abcde"[:count]) for count in (1, 3, 4, 5)] == [
        *("a", "a, b, c"),
        *("a, b, c and 1 more", "a, b, c and 2 more"),
    ]
