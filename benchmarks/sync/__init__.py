"""The sync beside other connectors: same stand-in for Google, same rows, same Postgres."""
