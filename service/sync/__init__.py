"""Syncs the lists of marketplaces into the database, page by page, from a checkpoint."""
