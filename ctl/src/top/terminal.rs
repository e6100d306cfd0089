//! The terminal as the view has it: alternate screen, keys without an echo, all of it given back however the view ends.

use std::io;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use tokio::sync::mpsc::Sender;

/// Given back when it is dropped.
pub(crate) struct Terminal(pub(crate) DefaultTerminal);

impl Terminal {
    /// Takes the terminal of standard output. A panic gives it back before it is told.
    ///
    /// # Errors
    /// Standard output is no terminal, or refuses.
    pub(crate) fn take() -> io::Result<Self> {
        ratatui::try_init().map(Self)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Hands keys and changes of size over until nobody takes them. The thread waits in a read, so it ends with the process.
pub(crate) fn listen<T: Send + 'static>(to: Sender<T>, wrap: fn(Event) -> T) -> io::Result<()> {
    let run = move || {
        while let Ok(event) = event::read() {
            let is_release = matches!(event, Event::Key(key) if key.kind == KeyEventKind::Release);
            if !is_release && to.blocking_send(wrap(event)).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("keys".to_owned()).spawn(run).map(drop)
}
