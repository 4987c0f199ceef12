"""Speed, measured beside what it competes with: ``python -m benchmarks``; see docs/benchmarks.md."""
