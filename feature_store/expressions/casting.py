"""The meaning of ``cast``: a value as another type, null where that type cannot hold it.

- Float to Int64: cut off towards zero. Int64 to Float32: through Float64. Float to String: refused, since a float has
  many spellings.
- Timestamp to and from numbers: microseconds since the Unix epoch; outside the years 1 to 9999 there is no Timestamp.
- Number to Boolean: whether it is not 0; Boolean to number: 1 or 0. Boolean and Timestamp: refused.
- String to Boolean: ``true`` or ``false``; to Int64 and floats: decimal digits, no spaces; to Timestamp:
  ``2026-01-31T12:00:00[.ffffff]`` followed by ``Z`` or an offset such as ``+01:00``.
- Boolean to String: ``true`` or ``false``; Timestamp to String: ``2026-01-31T12:00:00.000000Z``.
- Vectors and arrays: only to their own type.
"""

from __future__ import annotations

from typing import Final

INTEGER: Final = "[+-]?[0-9]+"
"""Pattern of a text that is an Int64, if it fits; these patterns mean the same in Python and in Rust."""

DECIMAL: Final = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
"""Pattern of a text that is a float."""

INSTANT: Final = (
    "(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
"""Pattern of a text that is a Timestamp, if there is such a day."""
