//! Names, time, the database and NFS by the programs themselves, with what is rendered for their machines.

use std::fmt::Write;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fmc_provision::inventory::Role;
use fmc_provision::lab::Machine;
use fmc_provision::render::machine::names::zones;

use super::Rehearsal;
use crate::process::{Process, Spawn};

/// A database takes seconds to make, and longer beside others on two cores.
const STARTS: Duration = Duration::from_secs(25);

impl Rehearsal {
    /// Starts every service that the lab has and waits until each takes connections.
    ///
    /// # Panics
    /// With its log, when one does not.
    pub(super) fn start_services(&mut self) {
        for (role, start) in [
            (Role::Postgresql, Self::postgresql as fn(&Self, &Machine) -> Process),
            (Role::Dns, Self::named),
            (Role::Ntp, Self::chronyd),
            (Role::Nfs, Self::ganesha),
        ] {
            let machines: Vec<Machine> = self.described.with_role(role).cloned().collect();
            for machine in machines {
                let process = start(self, &machine);
                self.keep(&format!("{}: {role:?}", machine.name), process);
            }
        }
        for (role, port) in [(Role::Dns, 53), (Role::Nfs, 2049), (Role::Postgresql, 5432)] {
            let machines: Vec<Machine> = self.described.with_role(role).cloned().collect();
            for machine in machines {
                self.wait_for_port(&machine, port, &format!("{}: {role:?}", machine.name));
            }
        }
    }

    fn wait_for_port(&mut self, machine: &Machine, port: u16, name: &str) {
        let begin = std::time::Instant::now();
        while !self.host(machine.name.as_str()).run(|| std::net::TcpStream::connect((machine.address(), port)).is_ok())
        {
            let process = self.processes.get_mut(name).expect("it was started");
            let lives = process.is_alive() && begin.elapsed() < STARTS;
            assert!(lives, "{name} does not listen on {port}: {}", process.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A directory of a machine's own.
    fn scratch(&self, machine: &Machine, name: &str) -> PathBuf {
        let path = self.directory.join(&format!("{}.{name}", machine.name));
        fs::create_dir_all(&path).expect("a directory of the rehearsal");
        path
    }

    fn program(&self, machine: &Machine, name: &str, program: &str, arguments: &[&str]) -> Process {
        let log = self.log(&format!("{}.{name}", machine.name));
        self.host(machine.name.as_str()).spawn(Spawn::new(program, log).args(arguments))
    }

    /// CoreDNS is in no package: BIND answers from the same zone files.
    fn named(&self, machine: &Machine) -> Process {
        let directory = self.scratch(machine, "named");
        let mut text = format!(
            "options {{ directory \"{}\"; listen-on {{ {}; }}; listen-on-v6 {{ none; }}; recursion no; pid-file none; \
             session-keyfile none; dnssec-validation no; }};\ncontrols {{ }};\n",
            directory.display(),
            machine.address()
        );
        for zone in zones(&self.described) {
            let file = self.rendered(&format!("machines/{}/root/etc/coredns/db.{}", machine.name, zone.name));
            writeln!(text, "zone \"{}\" {{ type master; file \"{}\"; }};", zone.name, file.display()).expect("a text");
        }
        let file = directory.join("named.conf");
        fs::write(&file, text).expect("a file of the rehearsal");
        self.program(machine, "named", "named", &["-g", "-n", "1", "-c", &file.to_string_lossy()])
    }

    /// The clock of this machine is everybody's and is not touched (`-x`); whatever of chronyd is one for a machine goes into its directory.
    fn chronyd(&self, machine: &Machine) -> Process {
        let directory = self.scratch(machine, "chrony");
        let own = directory.display().to_string();
        let text = self.of_machine(machine, "/etc/chrony.conf").replace("/var/lib/chrony", &own);
        let file = directory.join("chrony.conf");
        fs::write(&file, format!("{text}pidfile {own}/pid\nbindcmdaddress /\ncmdport 0\n")).expect("a file");
        self.program(machine, "chronyd", "chronyd", &["-d", "-x", "-u", "root", "-f", &file.to_string_lossy()])
    }

    /// A database made anew, with the rendered rules, settings and roles.
    fn postgresql(&self, machine: &Machine) -> Process {
        let directory = self.scratch(machine, "postgresql");
        let rendered = self.rendered(&format!("machines/{}/root/etc/fmc-lab/postgresql", machine.name));
        // Its shared memory would outlive it, were it killed.
        let script = postgresql(&directory, &rendered);
        self.program(machine, "postgresql", "unshare", &["--ipc", "sh", "-euc", &script])
    }

    /// The kernel's own server is one for a machine: Ganesha exports the same directories to the same clients.
    fn ganesha(&self, machine: &Machine) -> Process {
        let directory = self.scratch(machine, "ganesha");
        let mut text = ganesha(machine.address(), &directory);
        let exports = self.described.exports.iter().filter(|export| export.machine == machine.name);
        for (number, export) in exports.enumerate() {
            let path = directory.join(format!("export-{number}"));
            fs::create_dir_all(&path).expect("a directory of the rehearsal");
            let clients = self.described.addresses_of(&export.clients);
            let clients: Vec<_> = clients.iter().map(|client| client.addr().to_string()).collect();
            let access = if export.read_only { "RO" } else { "RW" };
            writeln!(
                text,
                "EXPORT {{ Export_Id = {}; Path = \"{}\"; Pseudo = \"{}\"; Access_Type = None; Squash = root_squash; \
                 SecType = sys; FSAL {{ Name = VFS; }} CLIENT {{ Clients = {}; Access_Type = {access}; }} }}",
                number + 1,
                path.display(),
                export.path,
                clients.join(", ")
            )
            .expect("a text grows");
        }
        let file = directory.join("ganesha.conf");
        fs::write(&file, text).expect("a file of the rehearsal");
        let (log, pid) = (self.log(&format!("{}.nfs", machine.name)), directory.join("pid"));
        let (file, log, pid) = (file.to_string_lossy(), log.to_string_lossy(), pid.to_string_lossy());
        self.program(machine, "ganesha", "ganesha.nfsd", &["-F", "-L", &log, "-f", &file, "-p", &pid, "-N", "EVENT"])
    }
}

fn postgresql(directory: &Path, rendered: &Path) -> String {
    let (own, rendered) = (directory.display(), rendered.display());
    format!(
        "mkdir {own}/conf {own}/credentials; cp {rendered}/* {own}/conf
         sed -i 's#/etc/fmc-lab/postgresql#{own}/conf#' {own}/conf/postgresql.conf
         for name in $(sed -n 's/.*DIRECTORY\\/\\([^\"]*\\)\".*/\\1/p' {own}/conf/roles.sql); do echo 'it is a secret' >{own}/credentials/$name; done
         chown -R postgres {own}; bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1); cd /
         become='setpriv --reuid=postgres --regid=postgres --clear-groups'
         as() {{ $become env CREDENTIALS_DIRECTORY={own}/credentials \"$@\"; }}
         as $bin/initdb -D {own}/data --auth=peer --no-sync >/dev/null
         echo \"include = '{own}/conf/postgresql.conf'\" >>{own}/data/postgresql.conf
         (for i in $(seq 1000); do as $bin/pg_isready -q -h {own} && break; sleep 0.02; done
          as psql --no-psqlrc -q -h {own} -v ON_ERROR_STOP=1 -f {own}/conf/roles.sql) &
         exec $become $bin/postgres -D {own}/data -k {own} -c fsync=off"
    )
}

fn ganesha(address: Ipv4Addr, directory: &Path) -> String {
    format!(
        "NFS_CORE_PARAM {{ Protocols = 4; Bind_addr = {address}; NFS_Port = 2049; Enable_NLM = false; Enable_RQUOTA = false; }}\n\
         NFSV4 {{ Graceless = true; RecoveryBackend = fs; RecoveryRoot = \"{}\"; Only_Numeric_Owners = true; }}\n\
         EXPORT_DEFAULTS {{ Access_Type = None; }}\n",
        directory.display()
    )
}
