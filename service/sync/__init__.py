"""The sync: what a marketplace lists, page by page into the database."""
