//! The four ways to end.

use std::process::ExitCode;

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or answered.
    Done,
    /// The answer is no: refused with a reason, timed out waiting, declined at the prompt, nobody took the VIP.
    No,
    /// It could not be tried, or broke on the way: no daemon, no permission, no such target.
    Failed,
    /// The command line makes no sense (`EX_USAGE` of sysexits(3)).
    Usage,
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::Failed => 2,
            Self::Usage => 64,
        }
    }

    /// A thing that was done, but not where it should have been too, is a no.
    pub(crate) fn and(self, everywhere: bool) -> Self {
        if self == Self::Done && !everywhere { Self::No } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
