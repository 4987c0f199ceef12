"""The sample project as Dagster's processes load it; its store lies in ``SAMPLE_ROOT``."""

import os

from tests.dagster.sample import project

defs = project.definitions(os.environ.get("SAMPLE_ROOT", "nowhere"))
