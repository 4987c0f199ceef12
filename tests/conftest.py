"""Settings for every test."""

import atexit
import os
import shutil
import tempfile

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.fixtures.servers.engines_marker",
    "tests.fixtures.servers.aws",
    "tests.fixtures.servers.bigtable",
    "tests.fixtures.servers.chromium",
    "tests.fixtures.servers.flink",
    "tests.fixtures.servers.kafka",
    "tests.fixtures.servers.nginx",
    "tests.fixtures.servers.postgres",
    "tests.fixtures.servers.prometheus",
    "tests.fixtures.servers.redis_tls",
    "tests.fixtures.servers.spark",
    "tests.fixtures.servers.valkey_cluster",
    "tests.fixtures.servers.versitygw",
]

settings.register_profile("fast", max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("more", max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("full", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

# No test touches the project's own state; raw data keeps its original dates. Before anything reads the settings.
os.environ["FEATURES_CLOCK"] = "original"
os.environ["FEATURES_STATE"] = tempfile.mkdtemp(prefix="feature-store-tests-")
atexit.register(shutil.rmtree, os.environ["FEATURES_STATE"], ignore_errors=True)
