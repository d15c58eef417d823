"""What a machine's processes remember of their work for the console: a bounded cache in `DATA_DIR/recent.db`."""
