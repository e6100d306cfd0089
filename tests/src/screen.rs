//! A program on a terminal, as a person sits before it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};

use crate::eventually::{eventually, eventually_some};

/// A program whose input and output are a terminal of its own; killed when dropped.
pub struct Screen {
    child: Child,
    keyboard: File,
    shown: Arc<Mutex<vt100::Parser>>,
    said: Arc<Mutex<Said>>,
}

/// What a program wrote, and how long after its start.
pub type Said = Vec<(Duration, Vec<u8>)>;

impl Screen {
    /// Starts it on a terminal of this size.
    ///
    /// # Panics
    /// When there is no terminal to be had, or no such program.
    pub fn start(command: &mut Command, (columns, rows): (u16, u16)) -> Self {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).expect("a terminal");
        let end = |fd: &OwnedFd| fd.try_clone().expect("a descriptor");
        command.env("TERM", "xterm-256color").stdin(end(&pair.slave)).stdout(end(&pair.slave)).stderr(pair.slave);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        // The command keeps its ends of the terminal until it starts another one.
        command
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let shown = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let (said, began) = (Arc::<Mutex<Said>>::default(), Instant::now());
        let (mut output, into, heard) = (File::from(end(&pair.master)), Arc::clone(&shown), Arc::clone(&said));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                into.lock().unwrap_or_else(PoisonError::into_inner).process(&bytes[..count]);
                let said = (began.elapsed(), bytes[..count].to_vec());
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(said);
            }
        });
        Self { child, keyboard: File::from(pair.master), shown, said }
    }

    /// What is on it now.
    pub fn text(&self) -> String {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).screen().contents()
    }

    /// What it wrote so far, as it wrote it.
    pub fn said(&self) -> Said {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Types these keys.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("a terminal");
    }

    /// Waits until it shows `text`.
    ///
    /// # Panics
    /// With the screen, when it does not in time.
    pub fn wait_for(&self, text: &str, limit: Duration) {
        let shows = || std::panic::catch_unwind(|| eventually(text, limit, || self.text().contains(text)));
        assert!(shows().is_ok(), "the screen does not show {text:?}:\n{}", self.text());
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        eventually_some("the program ends", limit, || self.child.try_wait().expect("a child of ours")).0
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
