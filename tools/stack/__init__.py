"""The stack of docker-compose.yml in real containers, by a container engine of its own: `python -m tools.stack`."""
