//! PostgreSQL itself, with the rendered files, twice: what the second run finds is there already.

use std::process::Command;

use crate::validator::{Rendered, Verdict, every_choice, no_noise, outcome};

const DIRECTORY: &str = "machines/postgresql1/root/etc/fmc-lab/postgresql";

#[test]
fn postgresql_starts_with_the_settings_and_takes_who_may_connect_and_the_roles() {
    for rendered in every_choice() {
        server(&rendered, ":").accepts(DIRECTORY);
    }
}

#[test]
fn postgresql_refuses_a_bad_network_a_bad_setting_and_a_bad_statement() {
    let rendered = Rendered::new("c", "router");
    server(&rendered, "sed -i 's#10.17.4.24/32#10.17.4.24/244#' $conf/pg_hba.conf").refuses("a prefix of 244 bits");
    server(&rendered, "sed -i 's/shared_buffers/shared_bufers/' $conf/postgresql.conf").refuses("shared_bufers");
    server(&rendered, "sed -i 's/REVOKE/REVOKES/' $conf/roles.sql").refuses("REVOKES");
}

/// Starts it in a namespace after `change`, asks it what is wrong with its files, and gives it the roles.
fn server(rendered: &Rendered, change: &str) -> Verdict {
    let script = format!(
        "mount -t tmpfs none /run; ip link set lo up; ip address add 10.17.3.14/32 dev lo
         conf=/run/conf; mkdir $conf; cp {}/* $conf; {change}
         sed -i 's#/etc/fmc-lab/postgresql#/run/conf#' $conf/postgresql.conf
         mkdir /run/credentials; echo 'it is a secret' >/run/credentials/postgresql-apps
         chown -R postgres /run/conf /run/credentials; install -d -o postgres /run/data /run/postgresql
         bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
         as() {{ setpriv --reuid=postgres --regid=postgres --clear-groups env CREDENTIALS_DIRECTORY=/run/credentials \"$@\"; }}
         as $bin/initdb -D /run/data --auth=peer --no-sync >/dev/null
         echo \"include = '/run/conf/postgresql.conf'\" >>/run/data/postgresql.conf
         (exec setpriv --reuid=postgres --regid=postgres --clear-groups $bin/postgres -D /run/data >/run/log 2>&1) & server=$!
         trap 'kill -QUIT $server; wait $server || true' EXIT
         for i in $(seq 500); do as $bin/pg_isready -q && break; kill -0 $server || {{ cat /run/log >&2; exit 1; }}; sleep 0.01; done
         ask() {{ as psql --no-psqlrc -q -v ON_ERROR_STOP=1 -Atc \"$1\"; }}
         ask \"select line_number || ': ' || error from pg_hba_file_rules where error is not null\" >&2
         ask \"select name || ': ' || error from pg_file_settings where error is not null\" >&2
         as psql --no-psqlrc -q -v ON_ERROR_STOP=1 -f $conf/roles.sql
         as psql --no-psqlrc -q -v ON_ERROR_STOP=1 -f $conf/roles.sql
         [ \"$(ask \"select pg_get_userbyid(datdba) from pg_database where datname = 'apps'\")\" = apps ]
         ask 'show listen_addresses' | grep -q 10.17.3.14",
        rendered.path().join(DIRECTORY).display()
    );
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "sh", "-euc", &script]).current_dir("/");
    outcome("unshare", &mut command, no_noise)
}
