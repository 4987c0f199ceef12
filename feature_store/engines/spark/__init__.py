"""Computing on many machines: Spark moves rows by entity and tries again; the Polars engine runs in its tasks."""
