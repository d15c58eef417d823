"""Orders: synchronised from the marketplaces, and stored."""
