"""Fingerprints: hashes of what determines values. Prose, names and the order of features do not count."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from feature_store.errors import FingerprintError

SEMANTICS_REVISION: Final = 1
"""Raised when a fix of ours changes values that were computed before."""


def fingerprint(definition: object) -> str:
    """Return 16 hexadecimal digits for a definition given as JSON-able data.

    >>> fingerprint(["sum", "x"]) == fingerprint(["sum", "x"]) != fingerprint(["sum", "y"])
    True
    """
    text = json.dumps([SEMANTICS_REVISION, definition], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def stored_column(
    view: str, feature: str, fingerprint: str, stored: Mapping[str, str], renamed_from: str | None = None
) -> str | None:
    """Return the stored column that holds a feature; None: it was added or computed later.

    A feature that was renamed since stands under its former name: equal fingerprints mean equal values.

    Args:
        view: full name, for messages.
        feature: name of the feature.
        fingerprint: of its definition as the reader knows it.
        stored: fingerprint by column of what a partition or generation was computed with.
        renamed_from: its former name; None: it never had another.

    Raises:
        FingerprintError: the column of that name, or of its former one, was computed by another definition.
    """
    if stored.get(feature) == fingerprint:
        return feature
    renamed = [name for name, other in stored.items() if other == fingerprint]
    if renamed:
        return renamed[0]
    if feature in stored:
        raise FingerprintError(
            f"{view}.{feature} is stored as another definition computed it ({stored[feature]}), but the "
            f"reader wants {fingerprint}: declare a new version of the view; or run `features apply`, materialize "
            "it and load it again"
        )
    if renamed_from is not None and renamed_from in stored:
        raise FingerprintError(
            f"{view}.{feature} is renamed_from={renamed_from!r}, which is stored as another definition computed it "
            f"({stored[renamed_from]}), but the reader wants {fingerprint}: rename it without changing it; if it is "
            "another feature, leave out renamed_from="
        )
    return None


def record_digest(owner: str, record: object) -> str:
    """Return a digest of a record that outlives a process, 32 hexadecimal digits.

    It is of what the record says and of what it belongs to, so that neither one that was changed nor one that took the
    place of another is believed.

    Args:
        owner: what it belongs to, e.g. the name of a table.
        record: anything that is JSON; the order of names in it does not count.

    >>> record_digest("a", {"x": 1, "y": [2]}) == record_digest("a", {"y": (2,), "x": 1})
    True
    """
    told = json.dumps([owner, json.loads(json.dumps(record))], sort_keys=True)
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
