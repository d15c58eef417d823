"""Reviews: synchronised from the marketplaces, stored, and answered."""
