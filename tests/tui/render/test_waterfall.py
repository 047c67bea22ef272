"""The waterfall of a tune: a row for each attempt, whatever the width."""

from __future__ import annotations

import pytest
from building.tunes import SETTLED, gone_on, opened, out_of_memory
from gpubench_tui.engine.analysis.tuning.attempts import AttemptState, Tried
from gpubench_tui.engine.analysis.tuning.sequential import MOST_PAIRS
from gpubench_tui.engine.analysis.tuning.tuning import Tuning, tuning_of
from gpubench_tui.engine.conductor.tuned_preset import SETTINGS_IN
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.remedy import Remedy
from gpubench_tui.engine.record.events import LogMessage
from gpubench_tui.engine.record.session import fold
from gpubench_tui.engine.statistics import Estimate
from gpubench_tui.tui.render.tuning import found_settings, tuning_title, waterfall
from gpubench_tui.tui.terminal.ascii import to_ascii
from msgspec.structs import replace


def tried(
    number: int | None, name: str, state: AttemptState, gain: float | None = None, why: str = ""
) -> Tried:
    found = None if gain is None else Estimate(gain, (gain - 0.02, gain + 0.02), 2)
    remedy = Remedy(name=name, changes={"precision": "bf16"})
    return Tried(number=number, remedy=remedy, diagnosis="low MFU", state=state, gain=found, why=why)


ATTEMPTS = (
    tried(1, "bf16 gradients", "kept", 1.21),
    tried(2, "channels_last", "refused", 1.002, "no clear gain: 1.00x (95%: 0.98x to 1.02x)"),
    tried(3, "compile", "failed", why="out of memory: CUDA ran out of memory at batch 64"),
    tried(4, "static graph", "measuring", 1.03),
    tried(None, "tf32", "not tried", why="it changes the numerics, which is not allowed"),
)
TUNING = Tuning(
    stage="trying",
    ended="",
    start="01",
    start_throughput=1004.2,
    unit="images",
    tried=ATTEMPTS,
    batch=None,
    kept={"compress_gradients": "bf16"},
    best="a01",
    total=None,
    trouble="",
    confirmation=None,
)


def lines(tuning: Tuning, width: int) -> list[str]:
    content = waterfall(tuning, width).content.plain
    assert all(len(line) <= width for line in content.split("\n"))
    return content.split("\n")


def test_rows_from_the_start_to_the_total() -> None:
    assert lines(TUNING, 100) == [
        "  start                    │                1,004 images/s",
        "✓ bf16 gradients           ██████████████    1.21x  1.19x to 1.23x  kept",
        "– channels_last                         ─    1.00x  0.98x to 1.02x  refused: no clear gain",
        "✗ compile                  failed: out of memory: CUDA ran out of memory at batch 64",
        f"▶ static graph                          ───  1.03x  1.01x to 1.05x  pair 3 of at most {MOST_PAIRS}",
        "· tf32                     not tried: it changes the numerics, which is not allowed",
        "= total                    ██████████████   ~1.21x                  so far, to be measured anew",
    ]
    assert tuning_title(TUNING) == "4 tried, 1 kept, about 1.21x so far"
    said = LogMessage(at=1.0, level="info", text=f"{SETTINGS_IN}/presets/mine.toml: gpubench-tui run mine")
    assert found_settings(TUNING, [], 100).plain == 'Kept: compress_gradients = "bf16"'
    assert found_settings(TUNING, [said], 100).plain.splitlines()[1:] == [
        "Preset: /presets/mine.toml: gpubench-tui run mine"
    ]
    assert waterfall(TUNING, 100).line == 4
    assert waterfall(TUNING, 60).line == 6  # reasons take lines of their own


@pytest.mark.parametrize("width", [36, 52, 76, 118])
def test_every_width_has_names_gains_and_words(width: int) -> None:
    text = to_ascii("\n".join(lines(TUNING, width)))
    assert "?" not in text
    assert text.count("1.21x") == 2 and "1.03x" in text
    for word in ("start", "kept", "refused", "failed", "pair 3", "not tried", "total", "so far"):
        assert word in text
    for reason in ("no clear gain", "out of memory", "is not allowed" if width > 40 else "numerics"):
        assert reason in " ".join(text.split())


def test_the_total_is_measured_anew() -> None:
    total = Estimate(1.19, (1.17, 1.21), 6)
    confirming = replace(TUNING, stage="confirming", total=replace(total, n=2), tried=ATTEMPTS[:3])
    assert lines(confirming, 100)[-1].endswith("1.17x to 1.21x  measuring anew, pair 3")
    assert waterfall(confirming, 100).line == 4
    ended = replace(TUNING, stage="ended", ended="no remedy is left", total=total)
    assert lines(ended, 100)[-1].endswith("1.19x  1.17x to 1.21x  measured anew")
    assert tuning_title(ended).endswith("1 kept, ended: no remedy is left")
    spans = replace(ended, total=Estimate(1.01, (0.99, 1.03), 6))
    assert lines(spans, 118)[-1] == "    not confirmed: its interval reaches 1.00x"
    unconfirmed = replace(ended, total=None, trouble="not measured anew: stopped before")
    assert lines(unconfirmed, 118)[-1].endswith("not measured anew: stopped before")
    nothing = replace(ended, total=None, kept={}, tried=ATTEMPTS[1:3])
    assert not any("total" in line for line in lines(nothing, 100))


def memory_ends_at(most: int, run: RunSpec) -> float:
    if run.workload.batch > most:
        raise out_of_memory(run.workload.batch)
    return 1000.0 * (run.workload.batch / 64) ** 0.3


def test_the_search_for_a_batch_has_its_row_where_it_was() -> None:
    begin = opened(allow=("recipe",), workload=SETTLED)
    events = gone_on(begin, lambda run: memory_ends_at(300, run))
    tuning = tuning_of(fold(events))
    assert tuning is not None
    text = "\n".join(lines(tuning, 118))
    assert "larger batch             288 is largest: 128, 256, 288 fit; 512, 384, 320 too large" in text
    assert text.index("larger batch") < text.index("batch 288  ") < text.index("= total")
    begun = tuning_of(fold(gone_on(begin, lambda run: memory_ends_at(300, run), runs=1)))
    assert begun is not None
    (start, *_) = lines(begun, 76)
    assert start.endswith("1,000 samples/s") and tuning_title(begun) == "looking for the largest batch"
