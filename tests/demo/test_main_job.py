"""The main job from nothing, on the next day, and when there is nothing left to do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.demo.checks import assert_summary
from tests.demo.end_state import content_hashes, delta_versions, runs
