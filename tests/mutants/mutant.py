"""A mistake that could be made in the product, and what must notice it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A mistake; either a path and a view of the specification, or a test must notice it.

    Attributes:
        name: what is wrong.
        file: where it is planted.
        old: text of the file, which occurs exactly once.
        new: what it is replaced by.
        path: of the specification (``python -m tests.spec.run``).
        view: the view that shows it, in snake case.
        test: as pytest takes it, ``tests/offline/test_x.py::test_y``.
    """

    name: str
    file: str
    old: str
    new: str
    path: str = ""
    view: str = ""
    test: str = ""

    @property
    def noticed_by(self) -> str:
        """What must notice it, as it is told."""
        return self.test or f"{self.path} of {self.view}"

    @property
    def told(self) -> str:
        """All by which it may be chosen."""
        return f"{self.name} {self.file} {self.noticed_by}"
