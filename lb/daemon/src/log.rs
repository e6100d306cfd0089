//! Where log lines go: stderr, through a bounded queue, so that a stuck journal or a full disk never blocks a role.
//!
//! Under systemd stderr is the journal, which stamps the time and reads the `<N>` level prefix (sd-daemon(3)).

use std::fmt;
use std::io::IsTerminal;

use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Lines that wait for a slow stderr; further ones are dropped and counted by [`counter`](LogLines::counter).
const LINES_WAITING: usize = 8192;

/// Keeps the log alive; flushes when dropped.
pub(crate) struct LogLines {
    _guard: WorkerGuard,
    dropped: ErrorCounter,
}

impl LogLines {
    /// Counts lines that found the queue full.
    pub(crate) fn counter(&self) -> ErrorCounter {
        self.dropped.clone()
    }
}

/// Installs the log for this process; `RUST_LOG` chooses levels, `info` by default.
pub(crate) fn start() -> LogLines {
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_WAITING).thread_name("log");
    let (writer, guard) = builder.finish(std::io::stderr());
    let dropped = writer.error_counter();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        lines.event_format(Journal(Format::default().without_time().with_level(false).with_target(false))).init();
    } else {
        lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).init();
    }
    LogLines { _guard: guard, dropped }
}

/// A line for the journal: its level as sd-daemon(3) spells it, then the message and the fields.
struct Journal(Format<tracing_subscriber::fmt::format::Full, ()>);

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(ctx, writer, event)
    }
}
