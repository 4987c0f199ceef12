"""The store's lists of one view, as the holder of the view's lease reads and changes it."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, Final

import redis

from serving.stores.errors import DamagedListError
from serving.stores.generations import Generation, decode_generations, encode_generations, select
from serving.stores.records import Sealed
from serving.stores.redis.connection import store_time
from serving.stores.redis.keys import (
    fence_key,
    lease_key,
    pointer_keys,
    rejected_key,
    row_prefix,
    started_key,
)
from serving.stores.redis.write.bulk import drop_rows
from serving.stores.redis.write.lease import lease_lost
from serving.stores.snapshot import Content

_PUBLISH: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[4])
redis.call('SET', KEYS[2], ARGV[2])
redis.call('SET', KEYS[3], ARGV[3])
if ARGV[4] ~= '[]' then redis.call('SET', KEYS[4], ARGV[4]) end
local new = tonumber(ARGV[5])
for place = 6, 4 + 2 * new, 2 do redis.call('SET', ARGV[place], ARGV[place + 1]) end
for place = 6 + 2 * new, #ARGV do redis.call('DEL', ARGV[place]) end
return 1
"""
"""It deletes before it writes: so a server without free memory lets it, and what is not needed can leave the list."""


class Publication:
    """The generations of a view that can be served, and what was rejected.

    Args:
        client: to the store.
        view: full name of the view.

    Attributes:
        live: the previous generation, the served one, those that wait for their time; all their rows are there.
    """

    def __init__(self, client: redis.Redis, view: str) -> None:
        self._client: Any = client
        self._view = view
        *pointer, self._rejected = self._client.mget(*pointer_keys(view), rejected_key(view))
        self.live = self._whole(_listed(view, Sealed(*pointer)))

    @property
    def now(self) -> int:
        """The store's clock, microseconds UTC: the clocks of loaders and readers differ."""
        return store_time(self._client)

    @property
    def served(self) -> Generation | None:
        """The generation that is served now."""
        return select(self.live, self.now)

    @property
    def rejected(self) -> frozenset[Content]:
        """Snapshots that are not loaded while another one is served in their place.

        Raises:
            DamagedListError: it cannot be read what they are.
        """
        try:
            return frozenset(
                (int(as_of), str(content_hash)) for as_of, content_hash in json.loads(self._rejected or b"[]")
            )
        except (ValueError, TypeError) as error:
            key = rejected_key(self._view).decode()
            raise DamagedListError(
                f"{self._view}: the list of snapshots that were rejected cannot be read ({type(error).__name__}: "
                f"{error}): delete {key} in the online store, and they may all be loaded again"
            ) from error

    def publish(self, token: int, live: Sequence[Generation], rejected: Collection[Content]) -> None:
        """Change what is live and what is rejected, if the lease is still ours.

        Readers learn in the same instant that the rows of a new generation are there, and that those of one that is
        live no more can no longer be relied on.

        Args:
            token: of our lease.
            live: the generations that are live from now on.
            rejected: what is rejected from now on; what is older than all of those cannot matter any more.

        Raises:
            LeaseLostError: the lease is no longer ours.
        """
        oldest = min((each.as_of for each in live), default=0)
        left = frozenset(content for content in rejected if content[0] >= oldest)
        new = [each for each in live if each not in self.live]
        vouched = [word for each in new for word in (row_prefix(each.id), each.voucher)]
        gone = [row_prefix(each.id) for each in self.live if each not in live]
        keys = (lease_key(self._view), *pointer_keys(self._view), rejected_key(self._view))
        records = (*encode_generations(self._view, live), json.dumps(sorted(left)).encode())
        if not self._client.eval(_PUBLISH, len(keys), *keys, token, *records, len(new), *vouched, *gone):
            raise lease_lost(self._view, token)
        self.live, self._rejected = tuple(live), records[-1]

    def begin(self, token: int) -> None:
        """Note down that rows of a generation are about to be written: should their loader die, they are found."""
        self._client.sadd(started_key(self._view), token)

    def drop_unlisted(self) -> None:
        """Delete the rows of every generation that was begun and is not live."""
        begun = {int(member) for member in self._client.smembers(started_key(self._view))}
        for generation in sorted(begun - {each.id for each in self.live}):
            drop_rows(self._client, self._view, generation)
            self._client.srem(started_key(self._view), generation)

    def forget(self) -> None:
        """Remove the records of a view of which nothing is live."""
        records = (started_key, rejected_key, fence_key)
        self._client.delete(*pointer_keys(self._view), *(key_of(self._view) for key_of in records))

    def _whole(self, generations: tuple[Generation, ...]) -> tuple[Generation, ...]:
        """Return the generations whose rows are vouched for; others serve nobody and are as good as not listed."""
        if not generations:
            return ()
        vouchers = self._client.mget([row_prefix(each.id) for each in generations])
        return tuple(each for each, voucher in zip(generations, vouchers, strict=True) if voucher == each.voucher)


def _listed(view: str, pointer: Sealed) -> tuple[Generation, ...]:
    try:
        return decode_generations(view, pointer)
    except DamagedListError:
        # What nobody can read serves nobody: the next load puts a pointer of its own in its place.
        return ()
