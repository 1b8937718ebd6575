DROP VIEW {schema}.v_url_inspection;
DROP TABLE {schema}.url_inspection;
