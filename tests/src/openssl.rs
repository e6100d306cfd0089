//! OpenSSL's own server and client: what others make of TLS.

use crate::certificate::Authority;
use crate::lab::Lab;
use crate::process::{Process, Spawn};

/// Its server on a machine, with a certificate for `name`; it speaks `acme-tls/1` and `h2`.
pub fn serve(lab: &Lab, authority: &Authority, machine: &str, at: &str, name: &str) -> Process {
    let file = name.trim_start_matches("*.");
    let files = authority.sign(lab, file, &[name.to_owned()]);
    let spawn = Spawn::new("openssl", lab.path(&format!("{file}.log")))
        .args(["s_server", "-quiet", "-www", "-accept", at, "-alpn", "acme-tls/1,h2", "-cert"])
        .args([&files.certificate])
        .args(["-key"])
        .args([&files.key]);
    lab.machine(machine).spawn(spawn)
}

/// The names in the certificate of whoever answers its client at `at`; empty: nobody does. `words` are options of s_client.
pub fn subject(lab: &Lab, at: &str, words: &[&str]) -> String {
    let client = format!("openssl s_client -connect {at} {} </dev/null 2>/dev/null", words.join(" "));
    let show = "openssl x509 -noout -ext subjectAltName 2>/dev/null";
    let output = lab.client().output("sh", &["-c", &format!("timeout 5 {client} | {show}")]);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
