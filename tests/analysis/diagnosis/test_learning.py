"""Whether a training is one: losses that are not finite, and images that cannot be read."""

from pathlib import Path
from typing import Any

import pytest
from building.sessions import (
    evaluations,
    failed,
    measured,
    opening,
    rank_measured,
    rank_up,
    session,
    spec,
    steps,
)
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.diagnosis.case import Diagnosis
from gpubench_tui.engine.plan.preset.preset import Mode
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Event, MetricsLost, ModelBuilt, RankMeasured, UnreadImages
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session import WITHOUT_STEPS, Session, read_session
from msgspec.structs import replace

STEADY = [1.0, 1.01, 0.99, 1.0, 1.02]


def diagnosis(folded: Session, name: str) -> Diagnosis | None:
    return next((each for each in analyse(folded).diagnoses if each.name == name), None)


def losses(run: str, rank: int, first: int, values: list[float | None]) -> Event:
    return replace(steps(run, rank, first, [0.1] * len(values)), loss=values)


@pytest.mark.parametrize(
    ("mode", "devices", "rank"),
    [("single", 1, 0), ("dp", 2, 0), ("ddp", 2, 1), ("fsdp", 2, 0), ("concurrent", 2, 1)],
)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_a_loss_that_is_not_finite_is_severe_from_its_first_step(
    mode: Mode, devices: int, rank: int, precision: Any
) -> None:
    workload = Workload(name="cnn", precision=precision, learning_rate=0.4)
    ranks = devices if mode in ("ddp", "fsdp", "concurrent") else 1
    run = [opening(spec("a", mode, devices, workloads=[workload])), measured("a", [STEADY] * ranks)]
    sound = [losses("a", each, 0, [2.5, 2.25, 2.0]) for each in range(ranks)]
    assert diagnosis(session(*run, sound), "training diverged") is None
    broken = [losses("a", rank, 3, [1.5, 1.25, None, 3.0]), losses("a", rank, 7, [None] * 4)]
    found = diagnosis(session(*run, sound, broken), "training diverged")
    assert found is not None and found.severity == "severe" and found.runs == ("a",)
    assert "not finite from step 5 on" in found.sentence
    assert ("of cnn" in found.sentence) == (mode == "concurrent")
    told = {item.what: item.value for item in found.evidence}
    assert told[f"rank {rank}: steps with such a loss"] == "5"
    assert told[f"rank {rank}: loss before"] == "1.25"
    assert ('"fp32"' in found.advice) == (precision != "fp32")
    assert "a lower learning_rate than 0.4" in found.advice


def test_a_loss_that_never_was_finite_points_to_data_and_weights() -> None:
    folded = session(opening(spec("a", "single")), measured("a", [STEADY]), [losses("a", 0, 0, [None] * 3)])
    found = diagnosis(folded, "training diverged")
    assert found is not None and "from step 0 on" in found.sentence
    assert "initial weights" in found.advice and "learning_rate" not in found.advice


@pytest.mark.parametrize("field", ["train_loss", "test_loss"])
def test_an_epoch_tells_it_where_no_step_does(field: str) -> None:
    epochs = evaluations("a", 0, [0.3, 0.1, 0.1])
    broken = [epochs[0], *(replace(event, **{field: None}) for event in epochs[1:])]
    folded = session(opening(spec("a", "single")), measured("a", [STEADY]), broken)
    found = diagnosis(folded, "training diverged")
    assert found is not None and "is not finite after epoch 2" in found.sentence
    assert ("on the test images" in found.sentence) == (field == "test_loss")


def test_the_first_step_is_known_although_its_metrics_were_lost_and_its_run_failed() -> None:
    lost = MetricsLost(at=2.0, run="a", rank=0, steps=9, not_finite=7)
    folded = session(opening(spec("a", "single")), failed("a"), [lost, losses("a", 0, 12, [None])])
    found = diagnosis(folded, "training diverged")
    assert found is not None and "from step 7 on" in found.sentence


def test_it_is_read_where_steps_are_not(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    for event in [
        *opening(spec("a", "single")),
        *measured("a", [STEADY]),
        losses("a", 0, 0, [2.0, 1.0]),
        losses("a", 0, 2, [1.0, None]),
    ]:
        journal.append(event)
    journal.close()
    quick = read_session(tmp_path / "journal.jsonl", WITHOUT_STEPS)
    found = diagnosis(quick, "training diverged")
    assert found is not None and "from step 3 on" in found.sentence
    assert quick.runs["a"].ranks[0].step_seconds.points == 2, "only the steps that matter are decoded"


def test_images_that_could_not_be_read_are_named() -> None:
    skipped = UnreadImages("data/train", 3, "data/train/cat/1.png cannot be decoded: broken")
    replaced = UnreadImages("data/test", 1, "data/test/dog/4.png is not an image in a known format")
    _, built = rank_up("a", 0)
    end = rank_measured("a", 0)
    assert isinstance(built, ModelBuilt) and isinstance(end, RankMeasured)
    told = [replace(built, skipped_images=[skipped]), replace(end, replaced_images=[replaced])]
    folded = session(
        opening(spec("a", "ddp", 2)),
        measured("a", [STEADY, STEADY]),
        [replace(event, rank=rank) for rank in range(2) for event in told],
    )
    found = diagnosis(folded, "unreadable images")
    assert found is not None and found.severity == "warning"
    assert "4 images of its data could not be read" in found.sentence
    figures = {item.what: item.value for item in found.evidence}
    assert figures["images left out, data/train"] == f"3: {skipped.first}, and others"
    assert figures["images replaced by others of their class, data/test"] == f"1: {replaced.first}"
