//! How places are reached: by the system's own ssh, with the user's keys, agent and known hosts; the hypervisor itself without, when this is it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use fmc_provision::apply::{Said, Shell};
use fmc_provision::lab::Lab;

use crate::cli::lab::Reach;

/// Between two looks at a command that runs.
const TICK: Duration = Duration::from_millis(20);
/// What ssh says when it did not reach anybody.
const UNREACHED: i32 = 255;
/// Kept connections of ssh hold its standard error open; what it has said by then is all.
const REST: Duration = Duration::from_millis(200);

/// The places of a lab.
pub(super) struct Places {
    host: String,
    local: bool,
    user: String,
    guest: String,
    /// Where each may answer; the one that answered last comes first.
    addresses: BTreeMap<String, Vec<Ipv4Addr>>,
    /// Contact with this very machine is somebody's word, unless nobody shall be asked.
    unasked: bool,
}

impl Places {
    /// `before`: the lab under the addresses that it still has.
    pub(super) fn new(lab: &Lab, before: Option<&Lab>, reach: &Reach, unasked: bool) -> Self {
        let mut addresses: BTreeMap<String, Vec<Ipv4Addr>> = BTreeMap::new();
        for lab in std::iter::once(lab).chain(before) {
            let host = (lab.host.name.to_string(), lab.host_address);
            let machines = lab.machines.iter().map(|machine| (machine.name.to_string(), machine.address()));
            for (name, address) in std::iter::once(host).chain(machines) {
                let known = addresses.entry(name).or_default();
                if !known.contains(&address) {
                    known.push(address);
                }
            }
        }
        let Reach { local, user, .. } = reach;
        let (host, guest) = (lab.host.name.to_string(), lab.site.user.to_string());
        Self { host, local: *local, user: user.clone(), guest, addresses, unasked }
    }

    fn ssh(&self, place: &str, address: Ipv4Addr, script: &str, anew: bool) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5"]);
        match anew {
            true => ssh.args(["-o", "ControlMaster=no", "-o", "ControlPath=none"]),
            false => ssh
                .args(["-o", "ControlMaster=auto", "-o", "ControlPersist=60"])
                .args(["-o", "ControlPath=~/.ssh/fmc-lab-%C"]),
        };
        let host = self.addresses.get(&self.host).and_then(|known| known.first());
        let user = if place == self.host { &self.user } else { &self.guest };
        if let (false, false, Some(host)) = (place == self.host, self.local, host) {
            ssh.args(["-J", &format!("{}@{host}", self.user)]);
        }
        let root = if user == "root" { "" } else { "sudo -n " };
        ssh.arg(format!("{user}@{address}")).arg(format!("exec {root}sh -c {}", quoted(script)));
        ssh
    }

    fn remote(
        &mut self,
        place: &str,
        script: &str,
        stdin: &[u8],
        deadline: Duration,
        anew: bool,
    ) -> Result<Said, String> {
        let known = self.addresses.get(place).cloned().unwrap_or_default();
        let mut last = format!("{place} has no address");
        for (at, address) in known.into_iter().enumerate() {
            let said = execute(self.ssh(place, address, script, anew), stdin, deadline)?;
            if said.code != UNREACHED {
                if let Some(known) = self.addresses.get_mut(place) {
                    known.swap(0, at);
                }
                return Ok(said);
            }
            last = format!("{address}: {}", said.err.trim());
        }
        Err(last)
    }

    fn is_here(&self, place: &str) -> bool {
        self.local && place == self.host
    }
}

impl Shell for Places {
    fn run(&mut self, place: &str, script: &str, stdin: &[u8], deadline: Duration) -> Result<Said, String> {
        if self.is_here(place) {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            return execute(command, stdin, deadline);
        }
        self.remote(place, script, stdin, deadline, false)
    }

    /// Nobody but whoever sits before it can say whether this machine is still reached from elsewhere.
    fn contact(&mut self, place: &str) -> Result<(), String> {
        if !self.is_here(place) {
            return self.remote(place, ":", &[], Duration::from_secs(15), true).map(drop);
        }
        if self.unasked {
            return Ok(());
        }
        eprint!(
            "Is this machine still reached from elsewhere? Nothing said, or no: the former state comes back. [y/N] "
        );
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map_err(|error| error.to_string())?;
        if answer.trim().eq_ignore_ascii_case("y") { Ok(()) } else { Err("somebody said no".to_owned()) }
    }

    fn pause(&mut self, span: Duration) {
        std::thread::sleep(span);
    }
}

/// Runs a command with a deadline; what is left of it then is killed.
fn execute(mut command: Command, stdin: &[u8], deadline: Duration) -> Result<Said, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let by = Instant::now() + deadline;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{program} does not start: {error}"))?;
    let (out, err) = (collect(child.stdout.take()), collect(child.stderr.take()));
    if let Some(mut input) = child.stdin.take() {
        let bytes = stdin.to_vec();
        // One that reads nothing may have ended before.
        std::thread::spawn(move || input.write_all(&bytes));
    }
    let code = wait(&mut child, by)?;
    let text = |parts: Receiver<Vec<u8>>| {
        let mut all = Vec::new();
        while let Ok(part) = parts.recv_timeout(REST) {
            all.extend(part);
        }
        String::from_utf8_lossy(&all).into_owned()
    };
    Ok(Said { code, out: text(out), err: text(err) })
}

fn wait(child: &mut Child, by: Instant) -> Result<i32, String> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.code().unwrap_or(-1)),
            Ok(None) if Instant::now() < by => std::thread::sleep(TICK),
            Ok(None) => {
                let _it_may_have_ended = child.kill().and_then(|()| child.wait());
                return Err("no answer in time".to_owned());
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// What a stream says, in parts; it ends with the stream.
fn collect(stream: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (parts, all) = mpsc::channel();
    if let Some(mut stream) = stream {
        std::thread::spawn(move || {
            let mut part = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = stream.read(&mut part) {
                if parts.send(part[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
    }
    all
}

/// In single quotes, as the shell at the other end takes it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, stdin: &[u8], deadline: Duration) -> Result<Said, String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        execute(command, stdin, deadline)
    }

    #[test]
    fn a_command_gets_its_input_and_gives_its_output() {
        let said = sh("cat; echo bad >&2; exit 3", &[b'x'; 200_000], Duration::from_secs(30)).unwrap();
        assert_eq!((said.code, said.out.len(), said.err.as_str()), (3, 200_000, "bad\n"));
    }

    #[test]
    fn a_command_that_does_not_end_is_ended() {
        assert_eq!(sh("exec sleep 600", &[], Duration::from_millis(200)), Err("no answer in time".to_owned()));
    }

    #[test]
    fn what_stays_behind_with_the_output_open_holds_nothing_up() {
        let said = sh("sleep 600 & echo \"$!\"", &[], Duration::from_secs(30)).unwrap();
        let pid = said.out.trim();
        assert!(sh(&format!("kill {pid}"), &[], Duration::from_secs(5)).is_ok());
    }

    #[test]
    fn a_quote_survives_the_shell_at_the_other_end() {
        let script = format!("sh -c {}", quoted("echo \"it's $((1 + 1))\""));
        assert_eq!(sh(&script, &[], Duration::from_secs(30)).unwrap().out, "it's 2\n");
    }
}
