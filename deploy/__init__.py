"""What is deployed around the service, and the programs that make the parts of it that are made: `python -m deploy.generate`."""
