"""The bytes of every key in the online store. Nothing else builds or takes apart a key."""

from __future__ import annotations

from typing import Final

import numpy as np

from feature_store.codec.byte_strings import Ragged, from_lengths, from_matrix, join_columns
from serving.stores.redis.resp import pack_words

GENERATION_COUNTER: Final = b"fs:generation"
"""The global counter that generation ids come from: a later loader always has the larger id."""

_ROW: Final = b"\x01"
_EVENTS: Final = b"\x02"


def pointer_keys(view: str) -> tuple[bytes, bytes]:
    """The key of the list of a view's live generations, and that of the digest which is written with it."""
    return _control_key(view, "generations"), _control_key(view, "generations-digest")


def rejected_key(view: str) -> bytes:
    """The key of the list of a view's snapshots that somebody rejected."""
    return _control_key(view, "rejected")


def lease_key(view: str) -> bytes:
    """Holds the generation id of the loader at work; expires when that loader stops renewing it."""
    return _control_key(view, "lease")


def fence_key(view: str) -> bytes:
    """Holds the id of the last loader that took the lease; unlike the lease it changes only on a take-over."""
    return _control_key(view, "fence")


def started_key(view: str) -> bytes:
    """The set of generations that may have rows in the store: live ones and those of loaders that died."""
    return _control_key(view, "started")


def chunks_key(view: str, generation: int) -> bytes:
    """The hash from chunk number to the entity keys of that chunk, so that a generation is dropped without a scan."""
    return _control_key(view, f"chunks:{generation}")


def stream_keys(view: str) -> tuple[bytes, bytes]:
    """The key of the record of a view's stream, and that of the digest which is written with it."""
    return _control_key(view, "stream"), _control_key(view, "stream-digest")


def stream_fence_key(view: str) -> bytes:
    """Holds the token of the last stream writer that took the view over: an older one writes nothing any more."""
    return _control_key(view, "stream-fence")


def stream_until_key(view: str, stream: int) -> bytes:
    """Holds the instant before which every event of a stream was written, microseconds UTC."""
    return _control_key(view, f"stream-until:{stream}")


def stream_written_key(view: str, stream: int) -> bytes:
    """Holds whose append wrote rows of a stream last, its number, and of how many entities it has written them."""
    return _control_key(view, f"stream-written:{stream}")


def stream_entities_key(view: str, stream: int) -> bytes:
    """The set of the entity keys that have a row of a stream, so that its rows are found without a scan."""
    return _control_key(view, f"stream-entities:{stream}")


def event_keys(stream: int, entities: Ragged) -> Ragged:
    """Return the keys under which the ids of the events of encoded entities stand, for writers only."""
    return join_columns(len(entities), [_EVENTS + stream.to_bytes(4, "big"), entities])


def _control_key(view: str, name: str) -> bytes:
    return f"fs:{{{view}}}:{name}".encode()


def row_prefix(generation: int) -> bytes:
    """The beginning of the keys of a generation's (or stream's) rows; alone it says that the rows are all there."""
    return _ROW + generation.to_bytes(4, "big")


def row_owner(key: bytes) -> int | None:
    """Return the generation (or stream) whose row stands under a key; None: it is the key of no row.

    >>> row_owner(row_prefix(7) + b"entity"), row_owner(row_prefix(7)), row_owner(b"fs:generation")
    (7, None, None)
    """
    return int.from_bytes(key[1:5], "big") if key.startswith(_ROW) and len(key) > len(_ROW) + 4 else None


def row_keys(generation: int, entities: Ragged) -> Ragged:
    """Return the keys of the rows of encoded entities."""
    return join_columns(len(entities), [row_prefix(generation), entities])


def row_key_words(generation: int, entities: Ragged) -> bytes:
    """Return the keys of the rows of encoded entities as words of a RESP command."""
    width = entities.width
    if width is None:
        return pack_words(tuple(row_keys(generation, entities).to_list()))
    prefix = row_prefix(generation)
    head = b"$%d\r\n%b" % (len(prefix) + width, prefix)
    # Joining the entities by all that stands between two of them needs no look at any single one.
    return head + (b"\r\n" + head).join(entities.to_list()) + b"\r\n"


def pack_chunk(entities: Ragged) -> bytes:
    """Return the entity keys of a chunk as one value: their width (0: they differ), lengths if so, and bytes."""
    width = entities.width
    if width is not None:
        return width.to_bytes(4, "little") + entities.buffer.tobytes()
    lengths = entities.lengths.astype("<u4")
    return bytes(4) + len(entities).to_bytes(4, "little") + lengths.tobytes() + entities.buffer.tobytes()


def unpack_chunk(value: bytes) -> Ragged:
    """Return the entity keys that ``pack_chunk`` was given."""
    width = int.from_bytes(value[:4], "little")
    if width:
        return from_matrix(np.frombuffer(value, np.uint8, offset=4).reshape(-1, width))
    count = int.from_bytes(value[4:8], "little")
    lengths = np.frombuffer(value, "<u4", count, offset=8)
    return from_lengths(np.frombuffer(value, np.uint8, offset=8 + lengths.nbytes), lengths)
