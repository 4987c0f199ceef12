"""What came of a damage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """What came of one damage.

    Attributes:
        damage: what was done.
        result: ``noticed``: an error of ours, or a value that is marked as damaged; ``harmless``: the answers are
            those of the undamaged store; else a fault: ``served_wrong``, ``raw`` (an error of a library), or
            ``not_noticed`` (harmless this time, of a kind that must be noticed), or ``killed`` (the process ended).
        told: the message.
    """

    damage: str
    result: str
    told: str

    @property
    def is_fault(self) -> bool:
        """Whether the product has to be mended."""
        return self.result not in ("noticed", "harmless")
