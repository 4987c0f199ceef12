"""Errors a user of the feature store can meet. Each message says what is wrong, where, and what to do."""

from __future__ import annotations

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


class VersionExpiredError(FeatureStoreError):
    """A version of a stored table was asked for that is no longer kept."""


class MissingTilesError(FeatureStoreError):
    """A snapshot needs tiles, or raw rows, that the ledger does not list."""


class FingerprintError(FeatureStoreError):
    """Stored values were computed by another definition than the one reading them."""


class OwnershipError(FeatureStoreError):
    """A code location tried to write a view that another team owns."""
