"""All requests in flight share one read, one decoding and one T: per-request cost shrinks as load grows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from serving.read.assembly import Assembly, Question
from serving.read.requests import RequestKeys
from serving.read.vectors import FeatureVectors
from serving.server.json_answers import ColumnarJson
from serving.stores.errors import StoreError, StoreUnavailableError
from serving.stores.rows import RowsRead
from serving.stores.store import AsyncOnlineReader

MOST_WAITING: Final = 4096
"""Requests that wait for the store at once; those beyond are refused, since they would be answered too late."""

MOST_VALUES_AT_ONCE: Final = 200_000
"""Values in one batch, but for a single request of more: while they are made, no other request is read."""

_TURNS_TO_SEND: Final = 2
"""Turns of the event loop until a read that was begun has left: one makes its command, one writes it."""


class Batch:
    """The answers to all requests of one service in one batch."""

    def __init__(self, vectors: FeatureVectors) -> None:
        self.vectors = vectors

    @cached_property
    def json(self) -> ColumnarJson:
        """The answers as JSON."""
        return ColumnarJson(self.vectors)


class Answer(NamedTuple):
    """One request's part of a batch: entities ``start`` to ``stop``."""

    batch: Batch
    start: int
    stop: int


class _Waiting(NamedTuple):
    assembly: Assembly
    keys: RequestKeys
    future: asyncio.Future[Answer]


class _Group(NamedTuple):
    """The values read for the requests of one assembly."""

    assembly: Assembly
    requests: Sequence[_Waiting]
    question: Question
    reads: Sequence[RowsRead | StoreError]
    time: int

    def single(self) -> Iterator[_Group]:
        """Yield what was read for each request."""
        starts = [0] * len(self.reads)
        for request in self.requests:
            question = self.assembly.ask(request.keys)
            stops = [start + len(wanted.entities) for start, wanted in zip(starts, question.wanted, strict=True)]
            reads = [
                read if isinstance(read, StoreError) else read.take(start, stop)
                for read, start, stop in zip(self.reads, starts, stops, strict=True)
            ]
            yield _Group(self.assembly, [request], question, reads, self.time)
            starts = stops


class _Trip(NamedTuple):
    batch: Sequence[_Waiting]
    task: asyncio.Task[list[_Group]]


class MicroBatcher:
    """Collects requests while a read is under way, then answers all of them with the next."""

    def __init__(self, reader: AsyncOnlineReader) -> None:
        self._reader = reader
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    def get(self, assembly: Assembly, keys: RequestKeys) -> asyncio.Future[Answer]:
        """Return the features of a request's entities; requests for the same assembly are answered together.

        The future raises FeatureStoreError if the store does not hold what the plan promises.

        Raises:
            StoreUnavailableError: too many requests wait for the store.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise StoreUnavailableError(f"the server is overloaded ({MOST_WAITING} requests waiting): retry later")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append(_Waiting(assembly, keys, future))
        if self._task is None:
            self._task = loop.create_task(self._work())
        return future

    async def _work(self) -> None:
        trip: _Trip | None = self._begin()
        while trip is not None:
            await asyncio.wait([trip.task])
            following = None
            if self._waiting:
                # The store works on the next batch while the answers to this one are made.
                following = self._begin()
                for _ in range(_TURNS_TO_SEND):
                    await asyncio.sleep(0)
            _conclude(trip)
            trip = following or (self._begin() if self._waiting else None)
        self._task = None

    def _begin(self) -> _Trip:
        count = _fitting(self._waiting)
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return _Trip(batch, asyncio.get_running_loop().create_task(self._read(batch)))

    async def _read(self, batch: Sequence[_Waiting]) -> list[_Group]:
        groups: dict[Assembly, list[_Waiting]] = {}
        for waiting in batch:
            groups.setdefault(waiting.assembly, []).append(waiting)
        now = time.time_ns() // 1000
        questions = [assembly.ask(_merged([each.keys for each in group])) for assembly, group in groups.items()]
        reads = iter(await self._reader.read([wanted for question in questions for wanted in question.wanted], now))
        return [
            _Group(assembly, group, question, list(islice(reads, len(question.wanted))), now)
            for (assembly, group), question in zip(groups.items(), questions, strict=True)
        ]


def _conclude(trip: _Trip) -> None:
    """Answer everybody who waits for a read that is done."""
    error = trip.task.exception()
    if error is not None:
        _fail(trip.batch, error)
        return
    for group in trip.task.result():
        _answer(group)


def _answer(group: _Group) -> None:
    """Answer the requests of a group together; if that fails, one by one, so that each fails for itself alone."""
    try:
        batch = Batch(group.assembly.answer(group.question, group.reads, group.time))
    except Exception as failure:  # noqa: BLE001 - those who wait must hear of it
        if len(group.requests) == 1:
            _fail(group.requests, failure)
        else:
            for single in group.single():
                _answer(single)
    else:
        _deliver(group.requests, batch)


def _fitting(waiting: Sequence[_Waiting]) -> int:
    """Return how many of those who wait, at least one, make a batch."""
    values = 0
    for count, each in enumerate(waiting):
        values += each.keys.count * each.assembly.width
        if values > MOST_VALUES_AT_ONCE:
            return max(1, count)
    return len(waiting)


def _merged(requests: Sequence[RequestKeys]) -> RequestKeys:
    if len(requests) == 1:
        return requests[0]
    return RequestKeys(
        sum(each.count for each in requests),
        _chained([each.values for each in requests]),
        _chained([each.inputs for each in requests]),
    )


def _chained(columns: Sequence[Mapping[str, list[Any]]]) -> dict[str, list[Any]]:
    return {name: list(chain.from_iterable(each[name] for each in columns)) for name in columns[0]}


def _deliver(requests: Sequence[_Waiting], batch: Batch) -> None:
    start = 0
    for _, keys, future in requests:
        stop = start + keys.count
        if not future.done():
            future.set_result(Answer(batch, start, stop))
        start = stop


def _fail(requests: Sequence[_Waiting], error: BaseException) -> None:
    for waiting in requests:
        if not waiting.future.done():
            waiting.future.set_exception(error)
