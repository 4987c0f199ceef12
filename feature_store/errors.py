"""Errors a user of the feature store can meet. Each message says what is wrong, where, and what to do."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any


class CarriedError(Exception):
    """An error that arrives as itself from another process: pickled and copied without its constructor being called.

    Python would call the constructor with the message alone.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[CarriedError], args: tuple[Any, ...], attributes: dict[str, Any]) -> CarriedError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


class FeatureStoreError(CarriedError):
    """Base of every error raised on purpose by this project."""


class DefinitionError(FeatureStoreError):
    """A declaration (entity, source, view, feature, service) is wrong.

    Args:
        where: the declared object, e.g. ``household_spend.spend_7d``.
        problem: what is wrong with it.
        instead: what to write instead.
    """

    def __init__(self, where: str, problem: str, instead: str) -> None:
        super().__init__(f"{where}: {problem}. Instead: {instead}.")
        self.where = where
        self.problem = problem
        self.instead = instead


class MissingAttributeError(DefinitionError, AttributeError):
    """A declaration uses what a declared object does not have; ``hasattr`` is false."""


class ExpressionTypeError(CarriedError, TypeError):
    """An expression combines values of types that do not fit; says what is wrong and what to write instead."""

    def __init__(self, problem: str, instead: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.instead = instead


class InputError(FeatureStoreError):
    """Data handed in by a caller (rows, a spine, a request) cannot be used."""


class NotComputedError(FeatureStoreError):
    """Values were asked for that no partition in the ledger holds."""


class DamagedError(FeatureStoreError):
    """Stored rows are not those that were written: a file is missing, cut or changed, or the table lists others.

    Args:
        table: where the table lies.
        problem: what is wrong.
        day: the physical day that is damaged, and has to be written again as a whole.
        partition_start: of the partition that was found to be damaged, or the first one of the day; None: not known.
        file: the damaged file, relative to the table; None: no single one.
        cure: what to do.
    """

    def __init__(
        self,
        table: str,
        problem: str,
        *,
        day: date,
        partition_start: datetime | None = None,
        file: str | None = None,
        cure: str | None = None,
    ) -> None:
        heal = cure or f"heal it by materializing all partitions of {day} again, or put the file back"
        place = f"day {day}" if partition_start is None else f"partition {partition_start} (day {day})"
        named = "" if file is None else f", file {file}"
        super().__init__(
            f"{table}: {place}{named}: {problem}. Nothing is read from a damaged day, nor anything older in its place: "
            f"{heal}"
        )
        self.table = table
        self.problem = problem
        self.told = problem if file is None else f"{file}: {problem}"
        self.day = day
        self.partition_start = partition_start
        self.file = file


class DamagedRecordError(FeatureStoreError):
    """What describes stored rows is not as it was written: a Delta log, a ledger, a manifest.

    Args:
        where: the log, the ledger or the record.
        problem: what is wrong with it.
        cure: what to do.
    """

    def __init__(self, where: str, problem: str, cure: str) -> None:
        super().__init__(f"{where}: {problem}. Nothing of it is believed: {cure}")
        self.where = where
        self.problem = problem
        self.cure = cure


class StorageError(FeatureStoreError):
    """The storage is in trouble, though nothing stored is damaged: a right, room, a network or a disk is missing."""


class NotReproducibleError(FeatureStoreError):
    """A training set cannot be made again as its manifest says, since rows that it was made from are damaged."""


class UnknownTableError(FeatureStoreError):
    """A table uses features of the Delta protocol that this project never sets: something else writes it, too."""


class VersionExpiredError(FeatureStoreError):
    """A version of a stored table was asked for that is no longer kept."""


class MissingTilesError(FeatureStoreError):
    """A snapshot needs tiles, or raw rows, that the ledger does not list."""


class FingerprintError(FeatureStoreError):
    """Stored values were computed by another definition than the one reading them."""


class ConflictError(FeatureStoreError):
    """Another run wrote the same partitions meanwhile; nothing was written, and running again may succeed."""


class OwnershipError(FeatureStoreError):
    """A code location tried to write a view that another team owns."""
