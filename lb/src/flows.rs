//! The flows of one listener of UDP: which datagram belongs to which.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use socket2::Socket;

use crate::connection::Surroundings;
use crate::datagrams::{self, Datagram};
use crate::ended_by::EndedBy;
use crate::flow::Flow;
use crate::listen::Duty;

/// By client. Bounded by the frontend's `max_connections`: each holds a seat of it. Only the loop's thread locks it.
#[derive(Debug, Default)]
pub(crate) struct Flows(Mutex<HashMap<SocketAddr, Arc<Flow>>>);

impl Flows {
    /// Takes what waits on the listener's socket to the servers.
    ///
    /// # Errors
    /// `WouldBlock`: nothing waits. Anything else is the socket's own end.
    pub(crate) fn take_in(
        self: &Arc<Self>,
        clients: &Arc<Socket>,
        duty: &Duty,
        with: &Arc<Surroundings>,
    ) -> io::Result<()> {
        datagrams::receive(&**clients, |batch| {
            let of_one_client = batch.chunk_by(|one, next| one.from == next.from);
            of_one_client.for_each(|datagrams| self.forward(datagrams, clients, duty, with));
        })
    }

    /// Ends all of them: the port is closed, and nothing of their clients can come any more.
    pub(crate) fn end_all(&self, reason: EndedBy) {
        self.lock().values().for_each(|flow| flow.end(reason));
    }

    /// By the flow that there is, or a new one. What was lost with a server that is gone goes to another one, once.
    fn forward(
        self: &Arc<Self>,
        datagrams: &[Datagram<'_>],
        clients: &Arc<Socket>,
        duty: &Duty,
        with: &Arc<Surroundings>,
    ) {
        let Some(first) = datagrams.first() else { return };
        if let Some(flow) = self.placed(first.from, with)
            && flow.send(datagrams, with).is_ok()
        {
            return;
        }
        match Flow::open(first.from, duty, with) {
            Ok((flow, holdings)) => {
                self.lock().insert(flow.client(), Arc::clone(&flow));
                // Its end, if that is an error, is told by the flow itself.
                let _ = flow.send(datagrams, with);
                let (flows, clients, with) = (Arc::clone(self), Arc::clone(clients), Arc::clone(with));
                tokio::spawn(async move {
                    flow.run(&clients, holdings, &with).await;
                    flows.forget(&flow);
                });
            }
            Err(no_flow) => datagrams.iter().for_each(|_| no_flow.count(&duty.frontend)),
        }
    }

    /// The client's flow, unless its server is the wrong one by now: that ends it.
    fn placed(&self, client: SocketAddr, with: &Surroundings) -> Option<Arc<Flow>> {
        let flow = self.lock().get(&client).cloned()?;
        if flow.is_well_placed(with) {
            return Some(flow);
        }
        flow.end(EndedBy::ServerGone);
        None
    }

    /// Another one may have taken its place.
    fn forget(&self, flow: &Arc<Flow>) {
        let mut flows = self.lock();
        if flows.get(&flow.client()).is_some_and(|known| Arc::ptr_eq(known, flow)) {
            flows.remove(&flow.client());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, Arc<Flow>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
