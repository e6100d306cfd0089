//! The directory of one lab: configurations, logs, captures, and the lock that says its owner lives.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::namespace;

/// Every lab has a directory here, readable by the service's own users.
const ROOT: &str = "/run/fmc-lab";

/// Every namespace of every lab begins so; what follows is the lab's identity, then the host's name.
const PREFIX: &str = "fmc-tst";

static LABS_OF_THIS_PROCESS: AtomicU32 = AtomicU32::new(0);

/// The directory of one lab, removed when dropped; after a crash the next lab removes it.
#[derive(Debug)]
pub(crate) struct Directory {
    identity: String,
    path: PathBuf,
    /// Locked as long as the process lives, however it ends.
    _alive: File,
}

impl Directory {
    /// Removes what crashed runs left behind, then makes a new directory.
    ///
    /// # Panics
    /// When `/run/fmc-lab` cannot be written.
    pub(crate) fn create() -> Self {
        fs::create_dir_all(ROOT).expect("a directory in /run");
        // One at a time: a directory that is made but not yet locked looks like a leftover.
        let turn = lock_file(&Path::new(ROOT).join(".sweep"));
        turn.lock().expect("a lock in /run/fmc-lab");
        sweep();
        let number = LABS_OF_THIS_PROCESS.fetch_add(1, Ordering::Relaxed);
        let identity = format!("{}-{number}", std::process::id());
        let path = Path::new(ROOT).join(&identity);
        fs::create_dir_all(&path).expect("a directory in /run/fmc-lab");
        let alive = lock_file(&path.join("lock"));
        alive.lock().expect("a lock of our own");
        Self { identity, path, _alive: alive }
    }

    /// The name of the namespace of the machine `host` of this lab.
    pub(crate) fn namespace(&self, host: &str) -> String {
        format!("{PREFIX}-{}-{host}", self.identity)
    }

    /// A path in the directory.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file into the directory and returns its path.
    ///
    /// # Panics
    /// When the disk refuses.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _best_effort = fs::remove_dir_all(&self.path);
    }
}

/// Removes every lab of this process, for the end by a signal, where nothing is dropped.
pub(crate) fn remove_ours() {
    for number in 0..LABS_OF_THIS_PROCESS.load(Ordering::Relaxed) {
        let identity = format!("{}-{number}", std::process::id());
        remove_namespaces(&identity);
        let _best_effort = fs::remove_dir_all(Path::new(ROOT).join(identity));
    }
}

/// Removes namespaces, processes and files of labs whose owner no longer lives.
fn sweep() {
    let entries = fs::read_dir(ROOT).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.path().is_dir()) {
        let owner = OpenOptions::new().read(true).write(true).open(entry.path().join("lock"));
        let lives = owner.is_ok_and(|lock| lock.try_lock().is_err());
        if !lives {
            remove_namespaces(&entry.file_name().to_string_lossy());
            let _best_effort = fs::remove_dir_all(entry.path());
        }
    }
}

fn remove_namespaces(identity: &str) {
    let ours = format!("{PREFIX}-{identity}-");
    let names = fs::read_dir("/run/netns").into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(&ours)).for_each(|name| namespace::remove(&name));
}

fn lock_file(path: &Path) -> File {
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path);
    file.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
