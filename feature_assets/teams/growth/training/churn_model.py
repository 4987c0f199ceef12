"""Trains the churn model without looking into the future, and scores households from served features."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from feature_assets.teams.growth.training.churn_spine import LABEL, LABEL_SPAN, TIME
from feature_assets.teams.growth.training.feature_matrix import FeatureMatrix, Matrix, served_frame
from feature_store.errors import InputError
from serving.read.vectors import FeatureVectors


@dataclass(frozen=True)
class Split:
    """Training and test rows. Every label window of a training row closed before the test period starts.

    Attributes:
        test_start: start of the test period.
        train: rows with ``time + 14 days <= test_start``.
        test: rows with ``time >= test_start``.
    """

    test_start: datetime
    train: pl.DataFrame
    test: pl.DataFrame


@dataclass(frozen=True)
class Metrics:
    """How good a model is on rows it has not seen.

    Attributes:
        auc: area under the ROC curve on the test period; 0.5 is chance.
        baseline_auc: that of one feature by itself, without a model; None: none was given.
        test_start: start of the test period.
        train_rows, test_rows: how many rows were used.
        churn_rate: share of the test rows that bought nothing in 14 days.
    """

    auc: float
    baseline_auc: float | None
    test_start: datetime
    train_rows: int
    test_rows: int
    churn_rate: float


@dataclass(frozen=True)
class Model:
    """A trained model and how it reads features."""

    matrix: FeatureMatrix
    classifier: HistGradientBoostingClassifier


def split(frame: pl.DataFrame, test_start: datetime | None = None) -> Split:
    """Split training-set rows by time; rows whose label window reaches into the test period are left out.

    Args:
        frame: rows with ``time``.
        test_start: start of the test period; None: 14 days before the last time, so that the test period covers as
            many days as a label window.

    Raises:
        InputError: nothing is left to train on or to test on.
    """
    if test_start is None:
        newest = frame[TIME].max()
        if not isinstance(newest, datetime):
            raise InputError("the training set is empty: materialize more of its partitions")
        test_start = newest - LABEL_SPAN
    train_rows = frame.filter(pl.col(TIME) + LABEL_SPAN <= test_start)
    test_rows = frame.filter(pl.col(TIME) >= test_start)
    for rows, what in ((train_rows, "train on"), (test_rows, "test on")):
        if rows.select(LABEL).n_unique() < 2:
            raise InputError(
                f"the test period from {test_start.isoformat()} leaves no rows of both labels to {what}: "
                "give times that cover more than 28 days before the last closed label window"
            )
    return Split(test_start, train_rows, test_rows)


def train(
    frame: pl.DataFrame,
    features: Sequence[str],
    test_start: datetime | None = None,
    *,
    baseline: str | None = None,
) -> tuple[Model, Metrics]:
    """Train on the past and test on what came after.

    Args:
        frame: a training set: ``time``, ``no_purchase_next_14d`` and the features.
        features: columns the model reads: the outputs of its feature service.
        test_start: see ``split``.
        baseline: a feature that grows with the risk, null standing for 0, which by itself is what a model must beat.
    """
    parts = split(frame, test_start)
    matrix = FeatureMatrix.fit(parts.train, features)
    classifier = HistGradientBoostingClassifier(max_iter=120, learning_rate=0.06, max_leaf_nodes=15, random_state=0)
    classifier.set_params(categorical_features=matrix.categorical)
    with _one_thread():
        classifier.fit(matrix.transform(parts.train), parts.train[LABEL].to_numpy())
    model = Model(matrix, classifier)
    labels = parts.test[LABEL]
    auc = float(roc_auc_score(labels.to_numpy(), score(model, parts.test)))
    alone = None if baseline is None else parts.test[baseline].fill_null(0)
    of_one = None if alone is None else float(roc_auc_score(labels.to_numpy(), alone.to_numpy()))
    rate = float(labels.to_numpy().mean())
    return model, Metrics(auc, of_one, parts.test_start, parts.train.height, parts.test.height, rate)


def score(model: Model, features: pl.DataFrame | FeatureVectors) -> Matrix:
    """Return the probability that nothing is bought in the next 14 days, one per row.

    Args:
        model: from ``train``.
        features: rows of a training set, or what ``FeatureClient.get_features`` returned.
    """
    frame = features if isinstance(features, pl.DataFrame) else served_frame(features)
    with _one_thread():
        return model.classifier.predict_proba(model.matrix.transform(frame))[:, 1]


def _one_thread() -> AbstractContextManager[object]:
    # Threads that wait for one another on a busy machine take minutes for what one does in seconds.
    return threadpool_limits(limits=1, user_api="openmp")
