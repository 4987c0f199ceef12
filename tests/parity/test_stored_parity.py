"""What both stores hold against values recomputed from raw rows: equal as they are, and planted differences found."""

import dataclasses
import shutil
from datetime import UTC, datetime

import polars as pl
import pytest

from feature_assets.parity.sampling import Sample
from feature_assets.parity.stored import check_stored
from feature_assets.project import load_declarations
from feature_store import FeatureView, Status
from feature_store.offline.materialize.materialize import compute_values, write_values
from feature_store.offline.tables.store import OfflineStore
