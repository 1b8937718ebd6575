DROP VIEW {schema}.v_quota;
DROP TABLE {schema}.quota;
