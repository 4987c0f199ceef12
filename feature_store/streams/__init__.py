"""Stream views: tiles of several spans, merged relative to any T by the same numpy code offline and online."""
