"""What is used of the Apache DataSketches library, which has no types of its own."""

class compact_theta_sketch:  # noqa: N801 - the library's name
    """A sketch as it is stored."""

    @staticmethod
    def deserialize(bytes: bytes) -> compact_theta_sketch:  # noqa: A002
        """Read a sketch."""
    def serialize(self) -> bytes:
        """Return its bytes."""
    def get_estimate(self) -> float:
        """Return about how many distinct values it has seen."""

class update_theta_sketch:  # noqa: N801
    """A sketch that takes values."""

    def __init__(self, lg_k: int = 12) -> None: ...
    def update(self, datum: float | str) -> None:
        """Count a value."""
    def trim(self) -> None:
        """Drop hashes beyond its size."""
    def compact(self, ordered: bool = True) -> compact_theta_sketch:
        """Return it as it is stored."""
