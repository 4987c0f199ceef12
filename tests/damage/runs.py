"""The numbered runs: each is the same whenever, and after whatever others, it is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Final

from tests.damage.end_to_end import OnlineCampaign
from tests.damage.in_process import Campaign
from tests.damage.outcome import Outcome

ONE_IN: Final = 20
"""Of so many runs one is end to end."""


def outcomes(folder: Path, wanted: range, seed: int) -> Iterator[tuple[int, Outcome]]:
    """Damage small stores, one damage at a time; yield the number of each run and what came of it.

    Args:
        folder: empty.
        wanted: numbers of runs.
        seed: of the dice.
    """
    with ExitStack() as stack:
        campaign, online = None, None
        for number in wanted:
            dice = Random(f"{seed}-{number}")
            if number % ONE_IN:
                campaign = campaign or Campaign(folder / "in_process")
                yield number, campaign.run(number - number // ONE_IN - 1, dice)
            else:
                online = online or stack.enter_context(OnlineCampaign.begin(folder / "end_to_end"))
                yield number, online.run(number // ONE_IN, dice)
