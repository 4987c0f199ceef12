"""The meanings of the features of a view's values, kept in the metadata of their Delta table: one meaning per version.

A change of metadata conflicts with every writer that opened the table before it, though they write other days; so no
two writers of different definitions both commit, as they could if definitions were compared beside the commit. The
metadata is committed before the first rows of a new definition. A writer that dies in between leaves a definition
without rows, which the next writer of the same definition finds to be its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

from deltalake import DeltaTable

from feature_store.errors import FingerprintError, InputError
from feature_store.fingerprints import record_digest
from feature_store.offline.delta.commits import damaged_log
from feature_store.offline.delta.faults import as_storage_errors
from feature_store.offline.delta.s3_log import pushed

_PROPERTY: Final = "feature_store.definitions"
_DIGEST: Final = f"{_PROPERTY}.digest"


@dataclass(frozen=True)
class Definition:
    """The meaning of a stored feature.

    Attributes:
        fingerprint: of what determines its values.
        logic: the same in words, for messages.
        revision: of our semantics; a higher one computes other values by the same logic.
        renamed_from: its former name; None: it never had another. Not stored.
        dropped: whether writers may leave it out.
    """

    fingerprint: str
    logic: str
    revision: int = 1
    renamed_from: str | None = None
    dropped: bool = False

    def continues(self, stored: Definition) -> bool:
        """Whether it means what is stored, or restates it by a higher revision of our semantics."""
        restates = self.logic == stored.logic and self.revision > stored.revision
        return self.fingerprint == stored.fingerprint or restates


Definitions = Mapping[str, Definition]
"""By feature."""


def read_definitions(table: DeltaTable, newest: Mapping[str, str]) -> dict[str, Definition]:
    """Return the definitions that a table holds.

    Args:
        table: the table.
        newest: fingerprint by feature of its newest partition: what a table holds that was last written before there
            were definitions.

    Raises:
        DamagedRecordError: they are not what was written.
    """
    text = table.metadata().configuration.get(_PROPERTY)
    if text is None:
        return {name: Definition(of, "what its fingerprint says") for name, of in newest.items()}
    digest = table.metadata().configuration.get(_DIGEST)  # tables of before there were digests have none
    if digest is not None and digest != record_digest(_PROPERTY, text):
        raise damaged_log(table.table_uri.rstrip("/"), "the definitions in it are not what was written")
    return {name: Definition(**of) for name, of in json.loads(text).items()}


def require_same(view: str, stored: Definitions, own: Definitions) -> None:
    """Fail unless a writer's definitions are those that are stored, and others that are new.

    Args:
        view: full name, for messages.
        stored: those of the table.
        own: those of the writer.

    Raises:
        FingerprintError: a feature changed, or is left out, though it was not dropped.
    """
    for name, definition in own.items():
        former = name if name in stored or definition.renamed_from is None else definition.renamed_from
        known = stored.get(former)
        if known is not None and not definition.continues(known):
            raise FingerprintError(
                f"{view}.{name} is stored as {known.logic!r} ({known.fingerprint}), but would be written as "
                f"{definition.logic!r} ({definition.fingerprint}), under the same version: give the view a new one, so "
                "that both can be read"
            )
    kept = {*own, *(definition.renamed_from for definition in own.values())}
    lost = [name for name, known in stored.items() if name not in kept and not known.dropped]
    if lost:
        raise FingerprintError(
            f"{view}: {', '.join(lost)} {'is' if len(lost) == 1 else 'are'} stored, but this code location does not "
            f"declare {'it' if len(lost) == 1 else 'them'}: it is older than the newest values, or the feature was "
            f"removed. Deploy the newest declarations, or run `features drop {view}.{lost[0]}`"
        )


def agree(table: DeltaTable, view: str, own: Definitions, newest: Mapping[str, str]) -> None:
    """Make the definitions of a table those of a writer, in a commit of their own if any is new.

    Args:
        table: opened before anything is compared on which a write depends; it moves on to the commit.
        view: full name, for messages.
        own: definitions of the writer.
        newest: see ``read_definitions``.

    Raises:
        FingerprintError: see ``require_same``.
        LostCommitError: another writer changed them since the table was opened.
    """
    stored = read_definitions(table, newest)
    require_same(view, stored, own)
    former = {definition.renamed_from for definition in own.values()} & stored.keys() - own.keys()
    renamed = {name: replace(stored[name], dropped=True) for name in sorted(filter(None, former))}
    wanted = {name: replace(definition, renamed_from=None) for name, definition in own.items()} | renamed
    if any(stored.get(name) != definition for name, definition in wanted.items()) or not _is_kept(table):
        _write(table, {**stored, **wanted})


def drop(table: DeltaTable, view: str, name: str, newest: Mapping[str, str]) -> None:
    """Let writers leave a feature out; what is stored of it stays.

    Args:
        table: at its newest version.
        view: full name.
        name: of the feature.
        newest: see ``read_definitions``.

    Raises:
        InputError: the table holds no feature of that name.
    """
    stored = read_definitions(table, newest)
    if name not in stored:
        raise InputError(f"{view} stores no feature {name!r}: it stores {', '.join(stored) or 'nothing'}")
    _write(table, {**stored, name: replace(stored[name], dropped=True)})


def _is_kept(table: DeltaTable) -> bool:
    return _PROPERTY in table.metadata().configuration


def _write(table: DeltaTable, definitions: Definitions) -> None:
    text = json.dumps({name: asdict(definition) for name, definition in definitions.items()}, sort_keys=True)
    properties = {_PROPERTY: text, _DIGEST: record_digest(_PROPERTY, text)}
    with as_storage_errors(table, "its definitions cannot be written"), pushed(table):
        table.alter.set_table_properties(properties, raise_if_not_exists=False)
