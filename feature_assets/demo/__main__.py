"""``python -m feature_assets.demo``: what ``make demo`` runs."""

import sys

from feature_assets.demo.endings import main

if __name__ == "__main__":
    sys.exit(main())
