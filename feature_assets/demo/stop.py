"""``make stop``: stops ``make dev``, which would start the online store again, then the embedded store."""

from __future__ import annotations

import sys

from feature_assets.demo.running import stop_running
from feature_store.errors import FeatureStoreError
from resources.settings import Settings
from serving.stores.redis.embedded import stop_embedded


def main() -> int:
    """Stop both; return 2 and say why if one does not stop."""
    try:
        settings = Settings.from_environment()
        stop_running(settings.state)
        stop_embedded(settings.online_folder)
    except FeatureStoreError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
