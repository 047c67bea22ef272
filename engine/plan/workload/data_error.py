"""The error of data that a training cannot use."""

from __future__ import annotations


class DataError(ValueError):
    """Images or tokens that a training cannot use."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(key, problem)
        self.key = key
        """Key of the workload that is at fault."""
        self.problem = problem
        """Error and what would be right, as a phrase that follows the key."""
