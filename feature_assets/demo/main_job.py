"""The main job, stage by stage. The last line printed is one JSON object."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import numpy as np
from rich.console import Console

from feature_assets.backfill.backfill import Backfill
from feature_assets.backfill.interrupted import close_interrupted_runs
from feature_assets.backfill.progress import Stages
from feature_assets.backfill.range_runs import RunPool
from feature_assets.backfill.spans import complete_until
from feature_assets.demo.due import landing_spans, value_span
from feature_assets.demo.failures import report_failures
from feature_assets.demo.live_stream import LivePurchases, live_views
from feature_assets.demo.model import SHORTEST_HISTORY, ChurnDemo
from feature_assets.demo.serve import ask_over_http, feature_server, online_url, served_parity
from feature_assets.demo.summary import Summary, print_scores, print_summary, print_vector
from feature_assets.demo.totals import count_offline, count_online
from feature_assets.project import load_declarations
from feature_assets.project.locations import find_makers
from feature_assets.project.recorded import apply_declarations
from feature_assets.raw.clock import clock, has_run_dry, keep_clock, now
from feature_assets.teams.growth.training.churn_model import Metrics
from feature_store.plans.plan_revisions import read_plans
from feature_store.plans.service_plan import ServicePlan
from feature_store.temporal.durations import DAY
from resources.branch import open_store
from resources.dagster_home import use_project_home
from resources.settings import Settings
from serving.client import FeatureClient

DAYS = 60
MODEL = "churn/v1"
EXAMPLE: dict[str, list[int | str]] = {"household_id": [900]}


def run(settings: Settings) -> int:
    """Run every stage and report; return 1 if a served value differs from its training row, or a part failed."""
    use_project_home(settings)
    with RunPool() as runs:
        return _run(settings, runs)


def _run(settings: Settings, runs: RunPool) -> int:
    # The processes that land the data must not decide on another clock than this one, though midnight may come.
    keep_clock()
    console = Console(width=None if sys.stdout.isatty() else 120)
    stages = Stages(console)
    store = open_store(settings)
    declared = load_declarations()
    started, days = now(), settings.days or DAYS
    spans = {name: value_span(view, started, days) for name, view in declared.views.items()}
    backfill = Backfill(runs, store, find_makers(), declared.views, spans)
    _introduce(console, len(declared.views), days, started)
    url = online_url(settings)
    with stages.stage("plans", "service plans"):
        apply_declarations(settings, declared)
    _fill_stores(stages, backfill, url, started)
    plans = {name: plan for name, plan in read_plans(settings.plans).items() if _is_sound(plan, backfill)}
    with FeatureClient(settings.plans, url) as client, ExitStack() as stack:
        with stages.stage("stream", "live purchases"):
            live = [
                stack.enter_context(LivePurchases(url, view, store)) for view in live_views(backfill.sound.values())
            ]
            events = sum(purchases.play() for purchases in live)
        console.print(f"{events:,} live purchases played that batch tiles do not own yet")
        end = complete_until(DAY, started)
        metrics = None
        if MODEL in plans:
            churn = ChurnDemo(store, plans[MODEL], end - timedelta(days=days - 1), end)
            metrics = _train_and_score(runs, stages, churn, client, days)
            with stages.stage("serve", "HTTP server"), feature_server(settings, url) as base:
                answer = ask_over_http(base, churn.plan, EXAMPLE)
            console.print(f"POST /v1/services/{MODEL}/features: {len(answer['features'])} features of {EXAMPLE}")
        rng = np.random.default_rng(0)
        with stages.stage("parity", "served = training rows?"):
            served_at = datetime.now(UTC)
            for purchases in live:
                purchases.play()  # up to then, for the stream's copy does not answer for a later T
            parity = {name: served_parity(store, client, plan, rng, served_at) for name, plan in plans.items()}
        if MODEL in plans:
            print_vector(console, client.get_features(MODEL, EXAMPLE))
    partitions, rows = count_offline(store, backfill.views.values(), landing_spans(backfill, started))
    online = count_online(url, backfill.views.values())
    summary = Summary(parity, metrics, rows, online, partitions, stages.seconds)
    print_summary(console, summary)
    failed = report_failures(console, settings.state, declared, backfill)
    print(summary.to_json())
    return 1 if summary.different or failed else 0


def _is_sound(plan: ServicePlan, backfill: Backfill) -> bool:
    return all(view.view in backfill.sound for view in plan.views)


def _fill_stores(stages: Stages, backfill: Backfill, url: str, now: datetime) -> None:
    with stages.stage("land", "raw data") as stage:
        backfill.land(landing_spans(backfill, now), stage)
    with stages.stage("tiles", "tiles") as stage:
        backfill.tiles(stage)
    with stages.stage("values", "feature values") as stage:
        backfill.values(stage)
    with stages.stage("online", "online store") as stage:
        backfill.load(url, stage)


def _train_and_score(
    runs: RunPool, stages: Stages, churn: ChurnDemo, client: FeatureClient, days: int
) -> Metrics | None:
    if not churn.is_possible:
        needed = SHORTEST_HISTORY.days
        stages.console.print(f"[yellow]No model: it needs values of {needed} days, and DAYS={days}.[/yellow]")
        return None
    with stages.stage("training_set", "training set") as stage:
        churn.build_training_set(runs, stage)
    with stages.stage("train", "churn model"):
        model, metrics = churn.train()
    with stages.stage("score", "scores from served vectors"):
        scores = churn.score_served(model, client)
    print_scores(stages.console, scores)
    return metrics


def _introduce(console: Console, views: int, days: int, started: datetime) -> None:
    interrupted = close_interrupted_runs()
    console.print(
        f"{views} feature views, {days} days, now is {started:%Y-%m-%d %H:%M:%S} UTC, "
        f"the data ends {clock().data_end:%Y-%m-%d %H:%M}"
    )
    if interrupted:
        console.print(f"Going on after {interrupted} interrupted run{'s' if interrupted > 1 else ''}.")
    if has_run_dry():
        console.print("[yellow]The data has run dry: newer partitions are empty. `make clean` starts afresh.[/yellow]")
