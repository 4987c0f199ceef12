"""The status of a feature value: why it is what it is. It travels with every value, offline and online."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Status of one value.

    PRESENT: the entity has a row in the partition that was read.
    EMPTY: the partition holds no counted event of the entity: 0 for counts and sums, else null or ``default=``.
    NOT_COMPUTED: no usable partition holds this feature (before history, a hole, a newer feature): null.
    EXPIRED: the newest usable partition is older than the view's ``ttl``: null.
    DAMAGED: online, the entity's row is not what was written for it: null, for this entity alone.
    """

    PRESENT = 0
    EMPTY = 1
    NOT_COMPUTED = 2
    EXPIRED = 3
    DAMAGED = 4
