"""What each department is about, as a vector: departments that serve one purpose lie close together."""

from __future__ import annotations

from feature_store import EmbeddingTable

department_vectors = EmbeddingTable(
    "department_vectors",
    # fresh, pantry, ready to eat, home and body
    vectors={
        "grocery": (0.1, 1.0, 0.1, 0.2),
        "frozen grocery": (0.0, 0.9, 0.3, 0.0),
        "nutrition": (0.2, 0.8, 0.1, 0.4),
        "produce": (1.0, 0.2, 0.1, 0.0),
        "meat": (0.9, 0.3, 0.0, 0.0),
        "meat-pckgd": (0.6, 0.6, 0.1, 0.0),
        "seafood": (0.9, 0.2, 0.1, 0.0),
        "seafood-pckgd": (0.5, 0.6, 0.1, 0.0),
        "deli": (0.6, 0.1, 0.8, 0.0),
        "salad bar": (0.7, 0.0, 1.0, 0.0),
        "pastry": (0.4, 0.2, 0.8, 0.0),
        "floral": (0.3, 0.0, 0.0, 0.7),
        "drug gm": (0.0, 0.2, 0.0, 1.0),
        "cosmetics": (0.0, 0.0, 0.0, 1.0),
    },
)
