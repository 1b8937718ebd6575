DROP VIEW {schema}.v_sitemaps, {schema}.v_properties;
DROP TABLE {schema}.sitemap_list, {schema}.sitemap, {schema}.property_access;
ALTER TABLE {schema}.ledger DROP COLUMN parts;
