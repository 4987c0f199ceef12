"""The main job from nothing, on the next day, and when there is nothing left to do."""

from __future__ import annotations
