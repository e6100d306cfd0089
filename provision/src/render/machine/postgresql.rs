//! PostgreSQL: who may connect, to what, with which password; and the settings that differ from its own.

use crate::inventory::scalar::Name;
use crate::inventory::{PostgreSql, Role};
use crate::lab::{Lab, Machine};
use crate::render::RENDERED;
use crate::render::ini::Ini;
use crate::render::system::{System, secret_path};

const DIRECTORY: &str = "/etc/fmc-lab/postgresql";
/// Where the distribution's unit has the files of the database.
const DATA: &str = "/var/lib/pgsql/data";

pub(super) fn add(lab: &Lab, machine: &Machine, system: &mut System) {
    let Some(postgresql) = lab.postgresql.as_ref().filter(|_| machine.is(Role::Postgresql)) else { return };
    let data = postgresql.data.as_str();
    system.packages.push("postgresql-server");
    system.file(format!("{DIRECTORY}/pg_hba.conf"), 0o644, "who may connect", pg_hba(lab, postgresql));
    system.file(format!("{DIRECTORY}/postgresql.conf"), 0o644, "settings", settings(lab, machine, postgresql));
    system.file(format!("{DIRECTORY}/roles.sql"), 0o644, "roles and databases", roles(postgresql));
    if data != DATA {
        let path = "/etc/systemd/system/postgresql.service.d/fmc-lab.conf";
        let text = Ini::new().section("Service").key("Environment", format!("PGDATA={data}")).text();
        system.file(path, 0o644, "where the files of the database are", text);
        system.commands.push(format!("install -d -o postgres -g postgres -m 700 {data}"));
    }
    system
        .commands
        .push(format!("[ -s {data}/PG_VERSION ] || PGSETUP_INITDB_OPTIONS=--auth=peer postgresql-setup --initdb"));
    let include = format!("include = '{DIRECTORY}/postgresql.conf'");
    system
        .commands
        .push(format!("grep -qxF \"{include}\" {data}/postgresql.conf || echo \"{include}\" >>{data}/postgresql.conf"));
    system.enable("postgresql.service");
    for database in postgresql.databases.values() {
        system.secret(&database.password, "PostgreSQL: the password of a database's owner");
    }
    system.unit("fmc-lab-postgresql-roles.service", "makes roles and databases", unit(postgresql));
}

fn pg_hba(lab: &Lab, postgresql: &PostgreSql) -> String {
    let mut text = format!("{RENDERED}\n\nlocal all all peer\n");
    for (name, database) in &postgresql.databases {
        for client in lab.addresses_of(&database.clients) {
            text.push_str(&format!("host {name} {name} {client} scram-sha-256\n"));
        }
    }
    text
}

fn settings(lab: &Lab, machine: &Machine, postgresql: &PostgreSql) -> String {
    // A quarter of the memory, as its manual has it ("Resource Consumption"), in steps that it shows unchanged.
    let buffers = (machine.memory / 4).max(16);
    format!(
        "{RENDERED}\n\nlisten_addresses = 'localhost, {}'\nmax_connections = {}\nshared_buffers = '{buffers}MB'\n\
         password_encryption = 'scram-sha-256'\nhba_file = '{DIRECTORY}/pg_hba.conf'\ntimezone = '{tz}'\nlog_timezone = '{tz}'\n",
        machine.address(),
        postgresql.max_connections,
        tz = lab.site.timezone,
    )
}

/// psql(1): what is there already stays. The password is read from the credential of the unit.
fn roles(postgresql: &PostgreSql) -> String {
    let mut text = format!("-- {}\n", RENDERED.trim_start_matches("# "));
    for (name, database) in &postgresql.databases {
        let variable = variable(name);
        text.push_str(&format!(
            "\n\\set {variable} `cat \"$CREDENTIALS_DIRECTORY/{}\"`\n\
             SELECT 'CREATE ROLE \"{name}\" LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') \\gexec\n\
             ALTER ROLE \"{name}\" PASSWORD :'{variable}';\n\
             SELECT 'CREATE DATABASE \"{name}\" OWNER \"{name}\"' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{name}') \\gexec\n\
             REVOKE ALL ON DATABASE \"{name}\" FROM PUBLIC;\n",
            database.password.file(),
        ));
    }
    text
}

fn variable(name: &Name) -> String {
    format!("password_{}", name.as_str().replace('-', "_"))
}

fn unit(postgresql: &PostgreSql) -> String {
    let passwords = || postgresql.databases.values().map(|database| &database.password);
    let ini = Ini::new().section("Unit").key("Description", "Roles and databases of PostgreSQL");
    let ini = ini.key("Requires", "postgresql.service").key("After", "postgresql.service");
    let ini = ini.each("ConditionPathExists", passwords().map(secret_path));
    let ini = ini.section("Service").key("Type", "oneshot").key("RemainAfterExit", "yes").key("User", "postgres");
    let ini =
        ini.each("LoadCredential", passwords().map(|secret| format!("{}:{}", secret.file(), secret_path(secret))));
    let ini = ini.key("ExecStart", format!("/usr/bin/psql --no-psqlrc -v ON_ERROR_STOP=1 -f {DIRECTORY}/roles.sql"));
    ini.section("Install").key("WantedBy", "multi-user.target").text()
}
