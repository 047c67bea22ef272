"""The error of a preset that cannot be used."""

from __future__ import annotations

import re

from ...text.plain import cut_in_middle


class PresetError(ValueError):
    """A preset that cannot be used."""

    def __init__(self, file: str, key: str, problem: str) -> None:
        file, key, problem = (cut_in_middle(file, 200), cut_in_middle(key, 200), cut_in_middle(problem))
        super().__init__(file, key, problem)
        self.file = file
        """Name of the file, or the option that is at fault."""
        self.key = key
        """Key that is at fault, as in `workloads.cnn.batch`; empty where it is none in particular."""
        self.problem = problem
        """Error and what would be right, as a phrase that follows the key."""

    def __str__(self) -> str:
        named = re.sub(r"^matrix\.(vary\.)?|\[\d+\]$", "", self.key)
        named = "batch" if named == "batches" else named
        options = (f"--set {self.key}=", f"--vary {named}=")
        key = "" if self.file.startswith(options) else self.key
        return ": ".join(filter(None, (self.file, key, self.problem)))
