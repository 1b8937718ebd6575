-- A role that may read everything in the schema and change nothing. Run it as the role that the sync uses, or as an
-- administrator who then names that role in the last statement (FOR ROLE ...): it covers tables of later versions.
CREATE ROLE gsc_reader NOLOGIN;
GRANT USAGE ON SCHEMA gsc TO gsc_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA gsc TO gsc_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA gsc GRANT SELECT ON TABLES TO gsc_reader;
