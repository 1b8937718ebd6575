"""Other ways to bring Search Console into Postgres, each in a virtual environment of its own, never in the project's."""
