"""The main job, from nothing: land, backfill, load online, train, serve, compare served with training rows."""
