"""Growth: knows the households, and keeps them coming back."""
