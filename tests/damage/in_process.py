"""Damage of the offline store: a file is damaged, what depends on it is asked, and the store is as it was again."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from random import Random
from typing import Any

from feature_store.errors import FeatureStoreError
from feature_store.offline.delta import stored_files
from tests.damage.kinds import KINDS
from tests.damage.outcome import Outcome
from tests.damage.world import TARGETS, Question, Target, World, build, damage_statistics, values


class Campaign:
    """A small store that is damaged again and again.

    Args:
        folder: empty.
    """

    def __init__(self, folder: Path) -> None:
        self._sound = build(folder / "world")
        self._world = World(folder / "damaged")
        shutil.copytree(self._sound.root, self._world.root)
        self._answers: dict[Question, Any] = {}

    def run(self, number: int, dice: Random) -> Outcome:
        """Damage it, and return what came of it; it is whole again then."""
        return self._statistics(dice) if number % 19 == 18 else self._damage(number, dice)

    def _damage(self, run: int, dice: Random) -> Outcome:
        target = TARGETS[run % len(TARGETS)]
        kind = list(KINDS)[run // len(TARGETS) % len(KINDS)]
        files = target.files(self._world)
        file = dice.choice(list(files))
        content = file.read_bytes()
        changed = KINDS[kind](content, self._others(file, files), dice)
        if changed is None:
            file.unlink()
        else:
            file.write_bytes(changed)
        name = f"{target.name}, {kind}: {file.relative_to(self._world.root)}"
        return self._outcome(name, target, is_same=changed == content)

    def _statistics(self, dice: Random) -> Outcome:
        """Damage a digit of what the log says of the rows of a file."""
        logs = sorted((self._world.values.uri and Path(self._world.values.uri) / "_delta_log").glob("*.json"))
        log = dice.choice([log for log in logs if '{"add"' in log.read_text()])

        def wrong(line: str) -> str:
            begin = line.index('"stats"')
            places = [found.start() for found in re.finditer(r"\d", line) if found.start() > begin]
            place = dice.choice(places)
            return line[:place] + str((int(line[place]) + dice.randrange(1, 10)) % 10) + line[place + 1 :]

        damage_statistics(log, wrong)
        return self._outcome(f"statistics of {log.name}", Target("statistics", lambda _: [], values))

    def _others(self, file: Path, files: Any) -> list[bytes]:
        """Return what stands in its neighbours, and in older files of the same folder."""
        beside = [other for other in files if other != file]
        older = sorted((other for other in file.parent.glob(f"*{file.suffix}") if other != file), key=_age)
        return [other.read_bytes() for other in [*beside, *reversed(older)] if other.is_file()]

    def _outcome(self, name: str, target: Target, *, is_same: bool = False) -> Outcome:
        if target.question not in self._answers:
            self._answers[target.question] = target.question(self._sound)
        stored_files._checked.clear()
        try:
            answer = target.question(self._world)
        except FeatureStoreError as error:
            outcome = Outcome(name, "noticed", str(error))
        except BaseException as error:  # noqa: BLE001 - Polars' panics are none of Exception; none may come through
            outcome = Outcome(name, "raw", f"{type(error).__name__}: {error}")
        else:
            is_right = answer == self._answers[target.question]
            outcome = Outcome(name, "harmless" if is_right else "served_wrong", "")
            if is_right and target.must_be_noticed and not is_same:
                outcome = Outcome(name, "not_noticed", "")
        self._restore()
        return outcome

    def _restore(self) -> None:
        shutil.rmtree(self._world.root)
        shutil.copytree(self._sound.root, self._world.root)


def _age(file: Path) -> float:
    return file.stat().st_mtime
