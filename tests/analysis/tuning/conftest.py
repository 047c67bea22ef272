from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from gpubench_tui.engine.analysis.diagnosis.case import Diagnosis
from gpubench_tui.engine.analysis.tuning import options
from gpubench_tui.engine.host.facts import Host
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.remedy import Remedy
from gpubench_tui.engine.record.session import Session

Propose = Callable[[Sequence[Remedy]], None]


@pytest.fixture
def propose(monkeypatch: pytest.MonkeyPatch) -> Propose:
    """Let every configuration of a tune have one diagnosis, with these remedies, and no routine ones."""

    def propose(remedies: Sequence[Remedy]) -> None:
        diagnosis = Diagnosis(
            name="too little work per step",
            severity="warning",
            sentence="it takes longer to begin a step than to do it",
            evidence=(),
            advice="larger steps",
            remedies=tuple(remedies),
            runs=(),
        )

        def diagnosed(session: Session, configuration: str) -> tuple[Diagnosis, ...]:
            return (diagnosis,)

        def no_routine(spec: RunSpec, host: Host) -> Iterator[Remedy]:
            return iter(())

        monkeypatch.setattr(options, "diagnoses_of", diagnosed)
        monkeypatch.setattr(options, "routine_remedies", no_routine)

    return propose
