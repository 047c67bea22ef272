"""Text from ranks that no encoding can take, or that has no text at all."""

from __future__ import annotations

import pytest
from gpubench_tui.engine.record.events import PhaseChanged

from .conftest import Start, run_spec

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nursery")]


def test_text_that_is_not_utf8_silences_no_rank(start: Start) -> None:
    runs = [
        run_spec(0, "unencodable", ranks=1),
        run_spec(1, "nameless", ranks=1),
        run_spec(2, "behave", ranks=1),
    ]
    session = start(*runs)
    assert session.wait() == 1
    ends = session.ends()
    assert [ends[spec.id].outcome for spec in runs] == ["failed", "failed", "measured"]
    failures = [ends[spec.id].failure for spec in runs[:2]]
    assert failures[0] and failures[0].message == "ValueError: no class caf\\xe9\x1b[2J"
    assert failures[1] and failures[1].message == "NamelessError: its message cannot be shown"
    notes = [event.note for event in session.events() if isinstance(event, PhaseChanged)]
    assert r"reading caf\xe9" in notes
    log = session.folder.rank_log(runs[0].id, 0).read_text(encoding="utf-8")
    assert r"reading caf\udce9" in log
