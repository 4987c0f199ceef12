"""The churn model: its spine, its training set, its training."""
