-- Rendered from the inventory; a change belongs there.

\set password_apps `cat "$CREDENTIALS_DIRECTORY/postgresql-apps"`
SELECT 'CREATE ROLE "apps" LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'apps') \gexec
ALTER ROLE "apps" PASSWORD :'password_apps';
SELECT 'CREATE DATABASE "apps" OWNER "apps"' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'apps') \gexec
REVOKE ALL ON DATABASE "apps" FROM PUBLIC;
