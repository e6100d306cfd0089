//! `/`: the status page, one file without outside assets.

use super::response::Answer;

/// The page; it asks `/v1/...` for its facts, as any other client would.
pub(crate) fn answer() -> Answer {
    Answer::text("text/html; charset=utf-8", include_str!("status_page.html"))
}
