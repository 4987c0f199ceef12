"""What a server needs to know to answer: compiled services and stream views."""
