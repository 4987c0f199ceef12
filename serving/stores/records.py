"""Records of what the store holds of a view: JSON, with a digest inside and once more beside it.

The digest inside tells a record that was changed; the one beside it, written in the same instant under a key of its
own, one that is gone or that an older one took the place of. Records of before there were digests have neither.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from feature_store.errors import FeatureStoreError
from feature_store.fingerprints import record_digest
from serving.stores.errors import DamagedListError

T = TypeVar("T")

_DIGEST: Final = "digest"
_CURE: Final = "load the view again, or restart its stream writer, with the release that reads it"


class Sealed(NamedTuple):
    """A record as it lies in the store.

    Attributes:
        value: its bytes; None: there is none.
        digest: what stands beside it; None: nothing.
    """

    value: bytes | None
    digest: bytes | None


def seal(owner: str, record: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> tuple[bytes, bytes]:
    """Return a record, of one part or of several, each of which names the digest of all, and the digest.

    Args:
        owner: what it is of, e.g. ``"shop/visits/v1 generations"``.
        record: what it says.
    """
    parts = [record] if isinstance(record, Mapping) else list(record)
    digest = record_digest(owner, parts)
    sealed = [{**part, _DIGEST: digest} for part in parts]
    return json.dumps(sealed[0] if isinstance(record, Mapping) else sealed).encode(), digest.encode()


def unseal(owner: str, record: Sealed, meaning_of: Callable[[list[dict[str, Any]]], T]) -> T | None:
    """Return what a record means; None: there never was one.

    Fields that ``meaning_of`` does not ask for, of a newer release, are ignored, but for the digest.

    Args:
        owner: what it was sealed for.
        record: as it lies in the store.
        meaning_of: of its parts.

    Raises:
        DamagedListError: it is no such record, not as it was written, not the last one, or gone.
    """
    if record.value is None:
        if record.digest is not None:
            raise DamagedListError(f"its record in the online store is gone (deleted by hand, or evicted?): {_CURE}")
        return None
    try:
        parts: Any = json.loads(record.value)
        listed = [dict[str, Any](part) for part in (parts if record.value.startswith(b"[") else [parts])]
        stated = {part.pop(_DIGEST) for part in listed if _DIGEST in part}
        if stated and stated != {record_digest(owner, listed)}:
            raise DamagedListError(f"its record in the online store is not what was written: {_CURE}")
        if stated and record.digest is not None and stated != {record.digest.decode()}:
            raise DamagedListError(f"its record in the online store is not the newest one that was written: {_CURE}")
        return meaning_of(listed)
    except (ValueError, LookupError, TypeError, FeatureStoreError) as error:
        if isinstance(error, DamagedListError):
            raise
        raise DamagedListError(
            f"its record in the online store cannot be read ({type(error).__name__}: {error}): {_CURE}"
        ) from error
