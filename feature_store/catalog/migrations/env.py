"""Alembic's entry point: runs the migrations on the connection that the catalog hands over."""

from __future__ import annotations

from alembic import context

from feature_store.catalog.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
