//! `GET /v1/live`: what the status page shows, as server-sent events, for as long as somebody looks.
//!
//! Format: <https://html.spec.whatwg.org/multipage/server-sent-events.html>. Each event is an answer of the read-only API under the last
//! word of its path, so that a page that has lost its stream asks for nothing else when it comes back.

use std::rc::Rc;
use std::time::Duration;

use fmc_api::RefusalKind;
use hyper::body::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, timeout};

use super::read::{backends, events_of_the_page, history, status};
use super::response::{Answer, refuse};
use crate::proxy::appliance::{Appliance, Shared};

/// How often a page is told how things stand.
const EVERY: Duration = Duration::from_secs(1);

/// Every so many times with the history, whose cells are longer.
const HISTORY_EVERY: u64 = 5;

/// Streams at once; more pages than that are told to come back. Each costs a thousandth of a processor.
const MOST_STREAMS: usize = 16;

/// A stream ends in good order before its connection would be cut; the page opens another.
const LONGEST: Duration = Duration::from_secs(300);

/// A page that takes nothing for so long is gone.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

/// One message waits while the one before is being sent; with more, a slow page would see the past.
const DEPTH: usize = 1;

/// Starts a stream.
pub(super) fn answer(shared: &Shared) -> Answer {
    let place = Rc::clone(&shared.borrow().streams);
    // One is the appliance's own.
    if Rc::strong_count(&place) > MOST_STREAMS + 1 {
        let error = format!("{MOST_STREAMS} pages are watching already");
        return refuse(RefusalKind::Unavailable, error, "close some, or ask /v1/status now and then");
    }
    let (tell, told) = mpsc::channel(DEPTH);
    let shared = shared.clone();
    tokio::task::spawn_local(async move {
        watch(&shared, &tell).await;
        drop(place);
    });
    Answer::stream("text/event-stream", told)
}

async fn watch(shared: &Shared, tell: &mpsc::Sender<Bytes>) {
    let (began, mut turns) = (Instant::now(), interval(EVERY));
    for number in 0.. {
        turns.tick().await;
        let text = message(&shared.borrow(), number);
        let sent = timeout(TAKEN_WITHIN, tell.send(text.into())).await;
        if !matches!(sent, Ok(Ok(()))) || began.elapsed() >= LONGEST {
            return;
        }
    }
}

fn message(appliance: &Appliance, number: u64) -> String {
    let mut text = String::new();
    if number == 0 {
        text.push_str("retry: 1000\n\n");
    }
    if number.is_multiple_of(HISTORY_EVERY) {
        event(&mut text, "history", &history::list(appliance));
    }
    event(&mut text, "backends", &backends::list(appliance));
    event(&mut text, "events", &events_of_the_page(appliance));
    // Last, so that whoever sees it has the rest too.
    event(&mut text, "status", &status::status(appliance));
    text
}

/// JSON has no line breaks of its own, so one `data:` line holds it.
fn event<T: Serialize>(text: &mut String, name: &str, value: &T) {
    if let Ok(json) = serde_json::to_string(value) {
        text.push_str(&format!("event: {name}\ndata: {json}\n\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_name_and_one_line_of_data_whatever_is_in_it() {
        let mut text = String::new();
        event(&mut text, "status", &"two\nlines\r\n\nevent: forged");
        assert_eq!(text, "event: status\ndata: \"two\\nlines\\r\\n\\nevent: forged\"\n\n");
    }
}
