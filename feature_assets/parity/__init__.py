"""Parity: what the engine computed, the offline store holds and readers were served, against a second computation.

``engine``    a view's engine against the specification, on rows in memory (``pytest --feature-parity``).
``stored``    what the stores hold of sampled entities, against values recomputed from the raw rows (Dagster's check).
``served``    what a response said against the training row at its T.
``replay``    a log of responses against what the ledger says was served then.

Nothing is imported here: the pytest plug-in must cost nothing where it is not used.
"""
