//! Saves a record, the administrative layer or the history of failovers: the newest text, again until it is on the disk.
//!
//! A task of the control thread's runtime; the writing itself is done on a blocking thread, since a dying disk may hold
//! fsync(2) for minutes and the control thread must not stand still for a second. One write at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::state_dir::StateDir;

/// A text that could not be written is tried again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// A command waits this long for what it changed to be on the disk; its answer says when it is not.
const SAVED_WITHIN: Duration = Duration::from_secs(1);

/// Which record of the directory a saver replaces.
pub(crate) type Save = fn(&StateDir, &str) -> std::io::Result<()>;

/// Where the control thread hands its texts in.
#[derive(Debug)]
pub(crate) struct Saver {
    wanted: watch::Sender<Text>,
    outcome: watch::Receiver<Outcome>,
}

/// Only the newest is of interest: one that was not written yet is replaced.
#[derive(Debug, Clone)]
struct Text {
    revision: u64,
    text: Arc<str>,
}

/// How the last write went.
#[derive(Debug, Clone, Default)]
struct Outcome {
    /// The newest revision on the disk.
    saved: u64,
    /// The newest one that was tried in vain since, and why.
    failed: Option<Failure>,
}

#[derive(Debug, Clone)]
struct Failure {
    revision: u64,
    why: String,
}

/// One text's way to the disk.
#[derive(Debug)]
pub(crate) struct Receipt {
    revision: u64,
    outcome: watch::Receiver<Outcome>,
}

impl Saver {
    /// Saves what it is given, until dropped.
    pub(crate) fn start(directory: StateDir, save: Save, runtime: &Handle) -> Self {
        let (wanted, texts) = watch::channel(Text { revision: 0, text: Arc::default() });
        let (tell, outcome) = watch::channel(Outcome::default());
        runtime.spawn(keep_saved(directory, save, texts, tell));
        Self { wanted, outcome }
    }

    /// Replaces what is to be saved.
    pub(crate) fn save(&self, text: String) -> Receipt {
        let revision = self.wanted.borrow().revision + 1;
        self.wanted.send_replace(Text { revision, text: text.into() });
        Receipt { revision, outcome: self.outcome.clone() }
    }

    /// Why a restart would forget what was asked last; `None`: it would not, as far as is known.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.outcome.borrow().failed.as_ref().map(|failure| failure.why.clone())
    }
}

impl Receipt {
    /// Waits for it to be on the disk, for a while; `Some`: why it is not.
    pub(crate) async fn unsaved(mut self) -> Option<String> {
        let revision = self.revision;
        // An older text's failure says nothing of this one, which is tried at once.
        let settled =
            self.outcome.wait_for(|outcome| outcome.saved >= revision || outcome.failure_of(revision).is_some());
        match timeout(SAVED_WITHIN, settled).await {
            Ok(Ok(outcome)) if outcome.saved >= revision => None,
            Ok(Ok(outcome)) => outcome.failure_of(revision),
            Ok(Err(_)) => Some("the service is ending".to_owned()),
            Err(_) => Some("the disk does not answer".to_owned()),
        }
    }
}

impl Outcome {
    fn failure_of(&self, revision: u64) -> Option<String> {
        let failure = self.failed.as_ref().filter(|failure| failure.revision >= revision);
        failure.map(|failure| failure.why.clone())
    }
}

async fn keep_saved(directory: StateDir, save: Save, mut texts: watch::Receiver<Text>, tell: watch::Sender<Outcome>) {
    loop {
        // After a failure the same text is tried again, or a newer one at once.
        let patience = if tell.borrow().failed.is_some() { AGAIN_AFTER } else { Duration::MAX };
        if let Ok(Err(_)) = timeout(patience, texts.changed()).await {
            return;
        }
        let text = texts.borrow_and_update().clone();
        let revision = text.revision;
        let written = write(directory.clone(), save, text, &tell).await;
        tell.send_modify(|outcome| match written {
            Ok(()) => *outcome = Outcome { saved: revision, failed: None },
            Err(why) => outcome.failed = Some(Failure { revision, why }),
        });
    }
}

/// Writes it; the error is why it failed. A write that hangs is said to have failed until it has not.
async fn write(directory: StateDir, save: Save, text: Text, tell: &watch::Sender<Outcome>) -> Result<(), String> {
    let Text { revision, text } = text;
    let mut writing = tokio::task::spawn_blocking(move || save(&directory, &text));
    let done = match timeout(SAVED_WITHIN, &mut writing).await {
        Ok(done) => done,
        Err(_) => {
            let failure = Failure { revision, why: "the disk does not answer".to_owned() };
            tell.send_modify(|outcome| outcome.failed = Some(failure));
            writing.await
        }
    };
    match done {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(panic) => Err(panic.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_text_is_on_the_disk_when_its_receipt_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::at(directory.path().to_owned());
        let saver = Saver::start(state, StateDir::save, &Handle::current());
        drop(saver.save("first".to_owned()));
        assert_eq!(saver.save("second".to_owned()).unsaved().await, None);
        assert_eq!(std::fs::read_to_string(directory.path().join("administrative.toml")).unwrap(), "second");
        assert_eq!(saver.trouble(), None);
    }

    #[tokio::test]
    async fn a_text_that_cannot_be_written_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let absent = directory.path().join("absent");
        let saver = Saver::start(StateDir::at(absent.clone()), StateDir::save, &Handle::current());
        let why = saver.save("a text".to_owned()).unsaved().await.expect("no directory");
        assert!(why.contains("No such file"), "{why}");
        assert_eq!(saver.trouble(), Some(why));
        std::fs::create_dir(&absent).unwrap();
        assert_eq!(
            saver.save("a newer text".to_owned()).unsaved().await,
            None,
            "an old failure is not held against it"
        );
        assert_eq!(saver.trouble(), None);
    }

    #[tokio::test]
    async fn a_text_that_nobody_replaces_is_tried_again_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let absent = directory.path().join("absent");
        let saver = Saver::start(StateDir::at(absent.clone()), StateDir::save, &Handle::current());
        saver.save("a text".to_owned()).unsaved().await.expect("no directory");
        std::fs::create_dir(&absent).unwrap();
        let mut outcome = saver.outcome.clone();
        timeout(AGAIN_AFTER * 3, outcome.wait_for(|outcome| outcome.saved == 1)).await.unwrap().unwrap();
        assert_eq!(saver.trouble(), None);
    }
}
