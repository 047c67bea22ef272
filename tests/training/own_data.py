"""A worker of the tests whose rank 1 finds another list of images than rank 0."""

from __future__ import annotations

import os
from collections.abc import Sequence
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

from gpubench_tui.engine.plan.assignment import Assignment
from gpubench_tui.engine.plan.workload.image_files import ImageFiles, open_folder
from gpubench_tui.engine.training import worker
from gpubench_tui.engine.training.data import datasets


def work(assignment: Assignment, queues: Sequence[Queue[Any]]) -> None:
    def without_last(folder: Path, classes: int) -> tuple[ImageFiles, ImageFiles]:
        train, test = open_folder(folder, classes)
        return train._replace(paths=train.paths[:-1], labels=train.labels[:-1]), test

    if os.environ["RANK"] == "1":
        datasets.open_folder = without_last
    worker.work(assignment, queues)
