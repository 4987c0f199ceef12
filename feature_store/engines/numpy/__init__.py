"""The engine that evaluates and merges with numpy, where values are read at any T."""
