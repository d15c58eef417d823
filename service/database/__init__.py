"""The database: tables, migrations, backups."""
