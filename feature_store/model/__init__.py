"""What was declared, checked and frozen."""
