"""Objects of S3 by paths, with the few methods of ``pathlib.Path`` that reading small files needs."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final

from feature_store.errors import InputError, StorageError
from feature_store.s3.boto import client_error, s3_client

_AT_ONCE: Final = 1000
"""Objects that S3 deletes in one request."""

_READS: Final = 3
"""The times that an object is asked for whose answer breaks off."""


@dataclass(frozen=True, order=True)
class S3Path:
    """An object, or all objects below a place.

    Attributes:
        bucket: its bucket.
        key: without a leading or trailing ``/``.
        options: storage options.
        tag: of an object that was listed: tells one state of it from another.
    """

    bucket: str
    key: str
    options: Mapping[str, str] = field(repr=False, compare=False)
    tag: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def __truediv__(self, name: str) -> S3Path:
        return S3Path(self.bucket, f"{self.key}/{name}" if self.key else name, self.options)

    @property
    def name(self) -> str:
        """The last part of its key."""
        return PurePosixPath(self.key).name

    @property
    def suffix(self) -> str:
        """The end of its name from the last dot on."""
        return PurePosixPath(self.key).suffix

    @property
    def parent(self) -> S3Path:
        """The place that it lies in."""
        return S3Path(self.bucket, self.key.rpartition("/")[0], self.options)

    def read_bytes(self) -> bytes:
        """Return its content.

        Raises:
            FileNotFoundError: it is not there.
            StorageError: it cannot be read.
        """
        return self.read_tagged()[0]

    def read_tagged(self) -> tuple[bytes, str]:
        """Return its content, and the tag of that state; see ``read_bytes``."""
        for _ in range(_READS):
            with client_error(str(self), "it cannot be read"):
                found = self._client.get_object(Bucket=self.bucket, Key=self.key)
            with suppress(StorageError), client_error(str(self), "it cannot be read"):
                return found["Body"].read(), found["ETag"]  # of an answer that breaks off boto3 asks for no rest
        raise StorageError(f"{self}: it cannot be read ({_READS} answers broke off). Instead: run again.")

    def write_bytes(self, content: bytes) -> None:
        """Put an object there, whatever was there.

        Raises:
            StorageError: it cannot be written.
        """
        with client_error(str(self), "it cannot be written"):
            self._client.put_object(Bucket=self.bucket, Key=self.key, Body=content)

    def replace_bytes(self, content: bytes, tag: str | None) -> None:
        """Put an object there unless it changed since its tag was read.

        Args:
            content: the new one.
            tag: of the state that is replaced; None: there is no object.

        Raises:
            FileExistsError: it changed, or there is one; or an answer was lost and it is this content.
            StorageError: it cannot be written.
        """
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        with client_error(str(self), "it cannot be written"):
            self._client.put_object(Bucket=self.bucket, Key=self.key, Body=content, **condition)

    def upload(self, content: BinaryIO) -> None:
        """Put a content of any size there, a large one in parts.

        Raises:
            StorageError: it cannot be written.
        """
        with client_error(str(self), "it cannot be written"):
            self._client.upload_fileobj(content, self.bucket, self.key)

    def iterdir(self, after: str = "") -> Iterator[S3Path]:
        """Yield the objects that lie in it, and the places in it that hold others, by name.

        Args:
            after: only those whose names come after this one.

        Raises:
            StorageError: they cannot be listed.
        """
        below = f"{self.key}/" if self.key else ""
        with client_error(str(self), "it cannot be listed"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=below, Delimiter="/", StartAfter=f"{below}{after}" if after else ""
            )
            for page in pages:
                for each in page.get("Contents", ()):
                    yield S3Path(self.bucket, each["Key"], self.options, each["ETag"])
                for each in page.get("CommonPrefixes", ()):
                    yield S3Path(self.bucket, each["Prefix"].rstrip("/"), self.options)

    def is_dir(self) -> bool:
        """Return whether anything lies in it.

        Raises:
            StorageError: it cannot be listed.
        """
        with client_error(str(self), "it cannot be listed"):
            found = self._client.list_objects_v2(Bucket=self.bucket, Prefix=f"{self.key}/", MaxKeys=1)
        return bool(found.get("Contents"))

    def unlink(self) -> None:
        """Delete the object; one that is not there stays away.

        Raises:
            StorageError: it cannot be deleted.
        """
        with client_error(str(self), "it cannot be deleted"):
            self._client.delete_object(Bucket=self.bucket, Key=self.key)

    def delete_all(self) -> None:
        """Delete it, and all that lies below it.

        Raises:
            StorageError: something cannot be deleted.
        """
        with client_error(str(self), "it cannot be deleted"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{self.key}/")
            keys = [self.key, *(each["Key"] for page in pages for each in page.get("Contents", ()))]
            for first in range(0, len(keys), _AT_ONCE):
                objects = [{"Key": key} for key in keys[first : first + _AT_ONCE]]
                self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": objects, "Quiet": True})

    @property
    def _client(self) -> Any:
        return s3_client(self.options)


Place = Path | S3Path
"""A folder of small files, on a disk or on S3."""


def place_of(text: str | Path, options: Mapping[str, str]) -> Place:
    """Return the folder of a path or an ``s3://`` URI.

    Raises:
        InputError: it is a URI of another kind, or names no bucket.
    """
    if isinstance(text, Path) or "://" not in text:
        return Path(text)
    scheme, _, rest = text.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise InputError(f"{text!r} is neither a folder nor s3://bucket/prefix")
    return S3Path(bucket, key.strip("/"), options)


def delete_places(places: Iterable[Place]) -> None:
    """Delete folders with all that lies in them; those that are not there are passed over."""
    for place in places:
        if isinstance(place, S3Path):
            place.delete_all()
        elif place.exists():
            shutil.rmtree(place)
