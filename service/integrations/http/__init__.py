"""The HTTP client: paced, bounded, and repeated only where that is safe."""
