//! [core] What one probe did, step by step, for a person who asks why.

use std::time::Duration;

/// One step of one probe, once it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// From the start of the probe until the step was done.
    pub at: Duration,
    /// What was done and what came of it, as an operator would say it.
    pub words: String,
}

/// Where a probe notes its steps. Probes on the schedule do not: nobody would read them.
#[derive(Debug, Default)]
pub(crate) enum Trace {
    /// Nothing is kept.
    #[default]
    Off,
    /// Every step is kept. A ladder has about ten, so there is no bound but that.
    On(Vec<Step>),
}

impl Trace {
    /// Notes a step; the words are only made when somebody will read them.
    pub(crate) fn note(&mut self, at: Duration, words: impl FnOnce() -> String) {
        if let Self::On(steps) = self {
            steps.push(Step { at, words: words() });
        }
    }

    /// What was noted.
    pub(crate) fn into_steps(self) -> Vec<Step> {
        match self {
            Self::Off => Vec::new(),
            Self::On(steps) => steps,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_that_is_off_makes_no_words() {
        let mut trace = Trace::Off;
        trace.note(Duration::ZERO, || panic!("nobody reads them"));
        assert_eq!(trace.into_steps(), []);
    }
}
