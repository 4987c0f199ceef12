"""Parity: equal stores compare equal, and every kind of planted difference is found."""

from __future__ import annotations
