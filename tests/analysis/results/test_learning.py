"""Learning curves: one for each model that a configuration trains, over its repeats."""

from building.sessions import evaluations, measured, opening, session, spec
from gpubench_tui.engine.analysis.results.configuration import configurations
from gpubench_tui.engine.analysis.results.learning import trainings
from gpubench_tui.engine.plan.workload.workload import Workload

CNN, VIT = Workload(name="cnn"), Workload(name="vit", model="vit-small")


def test_ranks_of_one_training_have_one_curve() -> None:
    folded = session(
        opening(spec("ddp", "ddp", 2, workloads=[CNN])),
        measured("ddp", [[1.0], [1.0]]),
        evaluations("ddp", 0, [0.3, 0.5]),
        evaluations("ddp", 1, [0.3, 0.5]),
    )
    (training,) = trainings(configurations(folded))
    assert training.label == "ddp x2"
    assert training.curve("test_accuracy") == [(1, 0.3), (2, 0.5)]


def test_trainings_side_by_side_have_a_curve_each() -> None:
    folded = session(
        opening(spec("both", "concurrent", 2, workloads=[CNN, VIT])),
        measured("both", [[1.0], [1.0]]),
        evaluations("both", 0, [0.3]),
        evaluations("both", 1, [0.6]),
    )
    found = list(trainings(configurations(folded)))
    assert [one.label for one in found] == ["concurrent x2, cnn", "concurrent x2, vit"]
    assert [one.curve("test_accuracy") for one in found] == [[(1, 0.3)], [(1, 0.6)]]


def test_a_curve_is_the_mean_of_the_repeats() -> None:
    runs = [spec(f"01-r{repeat}", "single", repeat_of=("01-r1", repeat)) for repeat in (1, 2)]
    folded = session(
        opening(*runs),
        measured("01-r1", [[1.0]]),
        evaluations("01-r1", 0, [0.25, 0.5]),
        measured("01-r2", [[1.0]]),
        evaluations("01-r2", 0, [0.75]),
    )
    (training,) = trainings(configurations(folded))
    assert training.curve("test_accuracy") == [(1, 0.5), (2, 0.5)]
