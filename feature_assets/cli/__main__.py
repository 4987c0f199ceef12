"""``python -m feature_assets.cli``: the command ``features``."""

from feature_assets.cli.app import main

if __name__ == "__main__":
    main()
