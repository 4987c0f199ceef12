"""The offline store: the one way to the tables under a root, on a disk or in an object store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from feature_store.checks.files import file_errors
from feature_store.errors import InputError
from feature_store.model.views import FeatureView
from feature_store.offline.delta.paths import source_uri, view_uri
from feature_store.offline.tables.branch import Branch, Meaning
from feature_store.offline.tables.overlaid_table import Shared
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.source_table import SourceTable
from feature_store.offline.tables.stream_copy import StreamCopy
from feature_store.offline.tables.view_tables import StateTable, TileTable, ValueTable
from feature_store.s3.options import options_of

_SCHEMES: Final = ("s3", "gs", "az", "abfss", "file")
_PLAIN: Final = "/:@!$&'()*+,;=~"


@dataclass(frozen=True)
class OfflineStore:
    """The tables under a root.

    Attributes:
        root: a folder or a URI such as ``s3://bucket/prefix``. A folder without a leading ``/`` is one of the working
            directory as it is when the store is made.
        storage_options: as deltalake takes them, e.g. ``AWS_REGION``; empty for a folder. On S3 no key among them
            leaves this process with what is pickled, such as the tasks of Spark.
        branch: that the store is of; see ``store_of``. None: production.

    Raises:
        InputError: the root is blank, that of the disk, or a file, is of no known scheme, or has characters, such as
            spaces, that a URL writes differently.
        StorageError: this process may not look there.
    """

    root: str
    storage_options: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    branch: Branch | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.root, str) or not self.root.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputError(f"the offline store cannot be at {self.root!r}: name a folder, or a URI like s3://bucket")
        scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):(//)?", self.root)
        if scheme is not None and (scheme[1] not in _SCHEMES or scheme[2] is None):
            raise InputError(
                f"the offline store cannot be at {self.root!r}: use a folder, or a URI that starts with "
                f"{', '.join(f'{known}://' for known in _SCHEMES)}"
            )
        if self.root.startswith("~"):
            raise InputError(f"the offline store cannot be at {self.root!r}: write the home folder out")
        if scheme is None:
            object.__setattr__(self, "root", str(Path(self.root).absolute()))
        _check_folder(self.root.removeprefix("file://"), self.root)
        object.__setattr__(self, "storage_options", options_of(self.root, self.storage_options))
        # Polars looks for the files of a Delta table under the encoded path.
        if quote(self.root, safe=_PLAIN) != self.root:
            raise InputError(
                f"the offline store cannot be at {self.root!r}: use a path of plain letters, digits and -._~ only, "
                "since others are written differently in a URL"
            )

    def source(self, asset: str) -> SourceTable:
        """Return the rows of the source landed by an asset, e.g. ``raw/transactions``."""
        if self.branch is None:
            return SourceTable(source_uri(self.root, asset), self.storage_options)
        uri, shared = self.branch.source(asset, self.storage_options)
        return SourceTable(uri, self.storage_options, shared)

    def tiles(self, view: FeatureView) -> TileTable:
        """Return the tiles of a view."""
        uri, shared = self._place(view.full_name, "tiles", view)
        return TileTable(uri, self.storage_options, view, shared)

    def values(self, view: FeatureView) -> ValueTable:
        """Return the feature values of a view."""
        uri, shared = self._place(view.full_name, "values", view)
        return ValueTable(uri, self.storage_options, view, shared)

    def state(self, view: FeatureView) -> StateTable:
        """Return the all-history states of a view."""
        uri, shared = self._place(view.full_name, "state", view)
        return StateTable(uri, self.storage_options, view, shared)

    def stored_values(self, full_name: str) -> PartitionedTable:
        """Return the feature values of a view known by name only, ``namespace/name/vN``, for reading."""
        uri, shared = self._place(full_name, "values")
        return PartitionedTable(uri, self.storage_options, shared)

    def stored_tiles(self, full_name: str) -> PartitionedTable:
        """Return the tiles of a view known by name only, for reading."""
        uri, shared = self._place(full_name, "tiles")
        return PartitionedTable(uri, self.storage_options, shared)

    def stream_copy(self, full_name: str) -> StreamCopy:
        """Return the offline copy of what the stream of a view wrote."""
        if self.branch is None:
            return StreamCopy(view_uri(self.root, full_name, "stream"), self.storage_options)
        return self.branch.stream_copy(full_name, self.storage_options)

    def _place(self, full_name: str, part: str, view: FeatureView | None = None) -> tuple[str, Shared | None]:
        """Return where a table of a view lies, and on a branch what is read beside it."""
        if self.branch is None:
            return view_uri(self.root, full_name, part), None
        meaning = self.branch.known(full_name) if view is None else Meaning.of(view)
        return self.branch.table(full_name, part, meaning, self.storage_options)


def store_of(branch: Branch, storage_options: Mapping[str, str]) -> OfflineStore:
    """Return the offline store as a branch has it: it reads of production what did not change, and writes its own."""
    return OfflineStore(branch.root, storage_options, branch)


def _check_folder(path: str, root: str) -> None:
    """Refuse what names nothing below the root of a disk or of an object store, and files."""
    place = re.sub(r"^[a-z0-9]+://", "", path).strip("/")
    if not place:
        raise InputError(f"the offline store cannot be at {root!r}, a root: name a folder, or a bucket, of its own")
    if "://" not in path:
        folder = Path(path)
        with file_errors(root, "the offline store cannot be opened"):
            found = next(each for each in (folder, *folder.parents) if each.exists())
            is_folder = found.is_dir()
        if not is_folder:
            raise InputError(f"the offline store cannot be at {root!r}: {found} is a file, name a folder")
