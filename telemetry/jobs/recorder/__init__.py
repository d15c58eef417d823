"""The recorder: queues runs, keeps them on the disk, and writes them to the database in the background."""
