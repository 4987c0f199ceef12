"""Explanations of a feature's value: the partition, the window, the tiles and rows, and what every store holds."""

from feature_assets.explain.explanation import Explanation
from feature_assets.explain.features import explain

__all__ = ["Explanation", "explain"]
