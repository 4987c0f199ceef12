"""Dagster resources and IO managers: thin callers of the offline store and the online store."""
