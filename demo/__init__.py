"""The demo: one command from nothing to rows in Postgres. Also the stage of the e2e tests. Not part of the product."""
