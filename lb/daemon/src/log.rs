//! Where log lines go: through a bounded queue, so that a stuck journal or a full disk never blocks a role.
//!
//! Started by systemd they go to the journal, each value as a field of its own ([`journal`]); otherwise to stderr, as text or as JSON.
//! What comes too often is sampled ([`sampling`]).

mod journal;
mod sampling;

use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{Event, Subscriber};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Full, Json, JsonFields, Writer};
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use journal::JournalSocket;
use sampling::Samples;

/// Lines that wait for a slow reader; further ones are dropped and [counted](Unwritten::dropped).
const LINES_WAITING: usize = 8192;

/// Chooses the form on stderr: `text` or `json`.
const FORMAT: &str = "FMC_LOG_FORMAT";

/// Keeps the log alive; flushes when dropped.
pub(crate) struct LogLines {
    _guard: WorkerGuard,
    unwritten: Unwritten,
}

/// Counts lines that nobody will read.
#[derive(Debug, Clone)]
pub(crate) struct Unwritten {
    dropped: ErrorCounter,
    left_out: Arc<AtomicU64>,
}

impl LogLines {
    pub(crate) fn unwritten(&self) -> Unwritten {
        self.unwritten.clone()
    }
}

impl Unwritten {
    /// Those that found the queue full.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.dropped_lines() as u64
    }

    /// Those that were too many of their kind.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }
}

/// Installs the log for this process; `RUST_LOG` chooses levels, `info` by default.
pub(crate) fn start() -> LogLines {
    match JournalSocket::of_stderr() {
        Some(socket) => install(socket, Form::Journal),
        None if std::env::var(FORMAT).is_ok_and(|format| format == "json") => {
            install(std::io::stderr(), Form::Json(Format::default().json()))
        }
        None => install(std::io::stderr(), Form::Text(Format::default().with_target(false))),
    }
}

fn install(to: impl Write + Send + 'static, form: Form) -> LogLines {
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_WAITING).thread_name("log");
    let (writer, guard) = builder.finish(to);
    let dropped = writer.error_counter();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let is_colourful = matches!(form, Form::Text(_)) && std::io::stderr().is_terminal();
    let is_json = matches!(form, Form::Json(_));
    let left_out = Arc::default();
    let lines = Lines { form, samples: Samples::counting(Arc::clone(&left_out)) };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(is_colourful);
    if is_json {
        subscriber.fmt_fields(JsonFields::default()).event_format(lines).init();
    } else {
        subscriber.event_format(lines).init();
    }
    LogLines { _guard: guard, unwritten: Unwritten { dropped, left_out } }
}

/// How a line looks.
enum Form {
    Text(Format<Full, SystemTime>),
    Json(Format<Json, SystemTime>),
    /// In the journal's own protocol.
    Journal,
}

/// Lines of one form, those that come too often left out.
struct Lines {
    form: Form,
    samples: Samples,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(left_out) = self.samples.admit(event.metadata()) else { return Ok(()) };
        match &self.form {
            Form::Text(format) => {
                let marked = |line: &str| format!("{line} left_out={left_out}");
                write_line(format, ctx, writer, event, (left_out > 0).then_some(marked))
            }
            Form::Json(format) => {
                let marked = |line: &str| format!("{},\"left_out\":{left_out}}}", line.trim_end_matches('}'));
                write_line(format, ctx, writer, event, (left_out > 0).then_some(marked))
            }
            Form::Journal => {
                let mut message = String::new();
                ctx.format_fields(Writer::new(&mut message), event)?;
                journal::write(&mut writer, &message, event, left_out)
            }
        }
    }
}

/// A line as `format` has it; with `marked`, what that makes of it.
fn write_line<S, N>(
    format: &impl FormatEvent<S, N>,
    ctx: &FmtContext<'_, S, N>,
    mut writer: Writer<'_>,
    event: &Event<'_>,
    marked: Option<impl Fn(&str) -> String>,
) -> fmt::Result
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    let Some(marked) = marked else { return format.format_event(ctx, writer, event) };
    let mut line = String::new();
    format.format_event(ctx, Writer::new(&mut line), event)?;
    writeln!(writer, "{}", marked(line.trim_end()))
}
