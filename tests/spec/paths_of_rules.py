"""Names of the paths by which values come about, as the page names them."""

SNAPSHOT_PATHS = ("one run", "chunks", "partition by partition", "Spark tasks")
PATH_NAMES = (
    "tiles",
    *SNAPSHOT_PATHS,
    "table view",
    "stream offline",
    "stream online",
    "point-in-time join",
    "online read",
    "HTTP",
)
