"""The benchmarks: what this project's telemetry costs beside what others use, measured in one run and printed as tables."""
