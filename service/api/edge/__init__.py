"""What is checked of a request before the application sees it."""
