"""The report at the end of the demo: what was written, how long it took, and whether both stores agree."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
from rich.console import Console
from rich.table import Table

from feature_assets.cli.output import text
from feature_assets.parity.served import ParityReport
from feature_assets.teams.growth.training.churn_model import Metrics
from feature_store.status import Status
from serving.read.vectors import FeatureVectors


@dataclass(frozen=True)
class Summary:
    """The outcome of the demo.

    Attributes:
        parity: by service.
        metrics: of the model; None where the history is too short to train on.
        rows_offline: rows of feature values in Delta.
        rows_online: rows of the served generations.
        partitions: partitions in the ledgers: raw, tiles and values.
        seconds: by stage.
    """

    parity: Mapping[str, ParityReport]
    metrics: Metrics | None
    rows_offline: int
    rows_online: int
    partitions: int
    seconds: Mapping[str, float]

    @property
    def different(self) -> int:
        """Values that differ between the stores; must be 0."""
        return sum(report.different.height for report in self.parity.values())

    def to_json(self) -> str:
        """Return the summary as one line of JSON."""
        return json.dumps(
            {
                "parity_compared": sum(report.compared for report in self.parity.values()),
                "parity_different": self.different,
                "auc": None if self.metrics is None else round(self.metrics.auc, 4),
                "rows_offline": self.rows_offline,
                "rows_online": self.rows_online,
                "partitions": self.partitions,
                "seconds": dict(self.seconds),
            }
        )


def print_vector(console: Console, served: FeatureVectors) -> None:
    """Show the first entity of a response as a table."""
    keys = ", ".join(f"{name}={values[0]}" for name, values in served.keys.items())
    table = Table(
        "feature", "value", "status", title=f"{served.service} v{served.version}: {keys}", title_justify="left"
    )
    row = served.to_dicts()[0]
    for name in served.columns:
        table.add_row(name, text(row[name]), Status(int(served.status[name][0])).name)
    console.print(table)


def print_scores(console: Console, scores: pl.DataFrame) -> None:
    """Show the households that are likeliest to leave."""
    worst = ", ".join(f"{household} ({score:.0%})" for household, score in scores.head(3).iter_rows())
    console.print(f"Likeliest of {scores.height:,} households to buy nothing in the next 14 days: {worst}")


def print_summary(console: Console, summary: Summary) -> None:
    """Show rows, partitions, times, the model's quality and the parity line of each service."""
    times = Table("stage", "seconds")
    times.columns[1].justify = "right"
    for stage, seconds in summary.seconds.items():
        times.add_row(stage, f"{seconds:.1f}")
    times.add_row("all", f"{sum(summary.seconds.values()):.1f}", style="bold")
    console.print(times)
    console.print(
        f"{summary.partitions:,} partitions, {summary.rows_offline:,} rows of values offline, "
        f"{summary.rows_online:,} online"
    )
    if summary.metrics is not None:
        metrics = summary.metrics
        console.print(
            f"churn model: AUC {metrics.auc:.3f} (days since the last purchase alone: {metrics.baseline_auc:.3f}) "
            f"on {metrics.test_rows:,} rows from {metrics.test_start:%Y-%m-%d} on, "
            f"trained on {metrics.train_rows:,} rows whose label was known by then"
        )
    for service, report in summary.parity.items():
        style = "red" if report.different.height else "green"
        counts = f"{report.compared:,} values compared, {report.different.height:,} different"
        console.print(f"[{style}]parity {service}: {report.entities:,} entities, {counts}[/{style}]")
        if report.different.height:
            console.print(report.different.head(20))
