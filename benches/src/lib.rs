//! The comparisons are in `benches/` (Criterion) and `src/bin/` (side by side with peers).
