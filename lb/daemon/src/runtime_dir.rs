//! The runtime directory: one instance's lock, its admin socket, and the keeper's record of addresses.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{Gid, User, chown};

/// A locked runtime directory; the lock ends with the process, however it ends.
#[derive(Debug)]
pub(crate) struct RuntimeDir {
    path: PathBuf,
    _lock: Flock<File>,
}

impl RuntimeDir {
    /// Creates and locks `path`. Errors name the instance that holds it.
    pub(crate) fn lock(path: &Path) -> Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(path)
            .with_context(|| format!("cannot create the runtime directory {}", path.display()))?;
        Ok(Self { path: path.to_owned(), _lock: lock_file(&path.join("lock"))? })
    }

    /// Where the keeper records the addresses it adds.
    pub(crate) fn leases(runtime_dir: &Path) -> PathBuf {
        runtime_dir.join("keeper")
    }

    /// Makes the directory that only `user`'s role writes to.
    pub(crate) fn create_leases(&self, user: &User) -> Result<()> {
        let path = Self::leases(&self.path);
        DirBuilder::new().recursive(true).mode(0o750).create(&path)?;
        chown(&path, Some(user.uid), Some(user.gid))
            .with_context(|| format!("cannot give {} to {}", path.display(), user.name))
    }

    /// Binds the admin socket: root and the group `gid` may connect.
    pub(crate) fn bind_admin(&self, gid: Gid) -> Result<UnixListener> {
        let path = self.path.join("admin.sock");
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).with_context(|| format!("cannot bind {}", path.display()))?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o660))?;
        chown(&path, None, Some(gid))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    /// Removes what this instance made; the directory itself belongs to the unit.
    pub(crate) fn clear(&self) {
        for name in ["admin.sock", "lock"] {
            let _ = std::fs::remove_file(self.path.join(name));
        }
        let _ = std::fs::remove_dir_all(Self::leases(&self.path));
    }
}

fn lock_file(path: &Path) -> Result<Flock<File>> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut lock) => {
            lock.set_len(0)?;
            lock.rewind()?;
            // Only for the message to a second instance: a full /run must not keep a balancer from starting.
            let _ = writeln!(lock, "{}", std::process::id());
            Ok(lock)
        }
        Err((mut file, _)) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder)?;
            let directory = path.parent().unwrap_or(path).display();
            bail!(
                "another fmc-lb (pid {}) runs with the runtime directory {directory}; stop it first: systemctl stop fmc-lb",
                holder.trim()
            )
        }
    }
}
