"""The HTTP client: rate-limited, bounded in time and size, with retries where they are safe."""
