"""Parity: equal stores compare equal, and every kind of planted difference is found."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from feature_assets.demo.serve import random_keys, served_parity
from feature_assets.parity.served import ParityReport, check_parity, compare, log_rows, training_rows
from feature_assets.project import load_declarations
from feature_store.columns import Column
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.service_plan import ServicePlan, read_plans
from feature_store.status import Status
from serving.client import FeatureClient
from serving.read.vectors import FeatureVectors
