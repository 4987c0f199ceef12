"""What the project declares: importable without Dagster."""

from datetime import UTC, datetime

from feature_store import (
    Entity,
    EventSource,
    FeatureService,
    Float64,
    Int64,
    String,
    TableSource,
    Team,
    Timestamp,
    col,
    feature_view,
    field,
    sum_,
)

START = datetime(2024, 3, 1, tzinfo=UTC)

riders = Team("riders", slack_channel="#riders", email="riders@example.com")
rider = Entity("rider", keys={"rider_id": Int64}, description="Who takes rides")

scores = TableSource(
    "scores",
    asset="dbt/rider_scores",
    time="scored_at",
    start=START,
    columns={"rider_id": Int64, "scored_at": Timestamp, "affinity": Float64, "segment": String},
    description="Made by dbt, daily",
)
rides = EventSource(
    "rides",
    asset="spark/rides",
    event_time="ended_at",
    start=START,
    columns={"rider_id": Int64, "ended_at": Timestamp, "fare": Float64},
    description="Made by Spark, hourly",
)


@feature_view(entity=rider, source=scores, namespace="rides", version=1, owner="riders", cadence="1d", freshness="27h")
class RiderScores:
    """What the dbt project knows of a rider."""

    affinity = field(description="How much it likes us, 0 to 1")
    segment = field(description="The segment that marketing sees it in")


@feature_view(entity=rider, source=rides, namespace="rides", version=1, owner="riders", cadence="1h", freshness="3h")
class RiderFares:
    """What a rider pays."""

    fares_6h = sum_(col("fare"), over="6h", description="Fares of the last six hours, EUR")


retention = FeatureService(
    "retention",
    version=1,
    owner="riders",
    description="Will this rider come back?",
    features=[RiderScores.all(), RiderFares.all()],
)
views, services = (RiderScores, RiderFares), (retention,)
