//! Letting connections end on their own before a deadline.

use std::time::{Duration, Instant};

use crate::frontend::Frontend;
use crate::server::Server;

/// Between looks at a count; the wait is for people and their relays, who do not notice.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Nothing is open any more.
    Empty,
    /// The deadline came first; so many are still open.
    StillOpen(u32),
}

/// Closes a frontend's listeners and waits until its relays have ended, at most until `deadline`. Relays are not touched.
pub async fn frontend(frontend: &Frontend, deadline: Instant) -> Drained {
    frontend.stop_accepting();
    until_empty(|| frontend.traffic().open(), deadline).await
}

/// Waits until no connection goes to a server, at most until `deadline`. That no new one comes is up to its pool:
/// [`crate::Pool::set_administrative`].
pub async fn server(server: &Server, deadline: Instant) -> Drained {
    until_empty(|| server.in_flight(), deadline).await
}

async fn until_empty(open: impl Fn() -> u32, deadline: Instant) -> Drained {
    while open() > 0 {
        if Instant::now() >= deadline {
            return Drained::StillOpen(open());
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    Drained::Empty
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_drain_ends_when_the_last_one_has() {
        let left = Cell::new(3u32);
        let one_less_each_look = || left.replace(left.get().saturating_sub(1));
        assert_eq!(until_empty(one_less_each_look, Instant::now() + Duration::from_secs(60)).await, Drained::Empty);
    }

    #[tokio::test]
    async fn a_drain_ends_at_its_deadline_and_says_how_many_are_left() {
        assert_eq!(until_empty(|| 2, Instant::now()).await, Drained::StillOpen(2));
    }
}
