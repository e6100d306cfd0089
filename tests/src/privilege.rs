//! What the lab needs from the machine: root, and the service's two users.

use std::process::Command;

use nix::sys::resource::{Resource, setrlimit};

/// The users that `dist/sysusers.d/fmc-lb.conf` creates on a real node.
const USERS: [&str; 2] = ["fmc-lb", "fmc-lb-keeper"];

/// Descriptors a process may have: `LimitNOFILE=` of the unit, which daemons started here inherit.
const DESCRIPTORS: u64 = 65_536;

/// Makes sure that namespaces can be created and that the daemon finds its users.
///
/// # Panics
/// When not root, with the command to run instead: a test without privilege never passes silently.
pub fn require() {
    assert!(
        nix::unistd::geteuid().is_root(),
        "the lab needs root for network namespaces; run: sudo -E env \"PATH=$PATH\" {}",
        std::env::args().collect::<Vec<_>>().join(" ")
    );
    // A container may refuse; then the daemon says that it has fewer, and a lab needs few.
    let _fewer_will_do = setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS);
    USERS.into_iter().filter(|user| !exists(user)).for_each(create);
}

fn exists(user: &str) -> bool {
    matches!(nix::unistd::User::from_name(user), Ok(Some(_)))
}

/// As `useradd` on a package's installation would; the group is needed by name too.
fn create(user: &str) {
    let command = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", user];
    eprintln!("creating the system user {user}: useradd {}", command.join(" "));
    let status = Command::new("useradd").args(command).status();
    let made = status.is_ok_and(|status| status.success()) || exists(user); // two tests may race for it
    assert!(made, "user {user} is missing and useradd failed; run: useradd {}", command.join(" "));
}
