//! A file system of a few pages, which a test can fill.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A tmpfs of 64 KiB, unmounted when dropped.
#[derive(Debug)]
pub struct TinyDisk(PathBuf);

impl TinyDisk {
    /// Mounts it at `path`, which is made if need be.
    ///
    /// # Panics
    /// When the kernel refuses.
    pub fn mount(path: PathBuf) -> Self {
        std::fs::create_dir_all(&path).expect("a mount point");
        run("mount", &["-t", "tmpfs", "-o", "size=64k,mode=755", "tiny", &path.display().to_string()]);
        Self(path)
    }

    /// Leaves not one page.
    ///
    /// # Panics
    /// When it cannot be filled.
    pub fn fill(&self) {
        let full = std::fs::write(self.filler(), vec![0; 128 * 1024]).expect_err("a full disk");
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
    }

    /// Ends [`TinyDisk::fill`].
    ///
    /// # Panics
    /// When it was not filled.
    pub fn make_room(&self) {
        std::fs::remove_file(self.filler()).expect("the filler");
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        run("umount", &["--lazy", &self.0.display().to_string()]);
    }
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().expect("the program starts");
    assert!(status.success(), "{program} {}: {status}", arguments.join(" "));
}
