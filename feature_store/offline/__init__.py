"""The offline store: Delta tables, the ledger of what they hold, and the joins that read them as of the past."""
