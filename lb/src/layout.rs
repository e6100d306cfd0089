//! What one configuration serves: its pools, frontends and listeners. From the present one to the next without a gap.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use fmc_config::model;
use fmc_config::model::Config;
use fmc_config::model::frontend::{PortRoute, Protocol};
use fmc_config::model::name::BackendName;

use crate::frontend::Frontend;
use crate::listen::{BindError, Listener, ListenerRecord};
use crate::pool::{Pool, Snapshot};

/// Everything that is served, as of one moment.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    pub(crate) pools: BTreeMap<BackendName, Arc<Pool>>,
    /// In the order of the configuration.
    pub(crate) frontends: Vec<Arc<Frontend>>,
    pub(crate) listeners: Vec<Arc<ListenerRecord>>,
}

/// A next layout of which everything that could fail has been done. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Prepared {
    backends: Vec<model::backend::Backend>,
    layout: Layout,
    /// Listeners that stay, and what becomes of them.
    kept: Vec<(Arc<ListenerRecord>, Arc<Frontend>, PortRoute)>,
    bound: Vec<Listener>,
    pub(crate) max_connections: u32,
}

impl Layout {
    /// Makes what `config` has more than this, and binds it unless nobody shall be listened to. Changes nothing that serves.
    ///
    /// # Errors
    /// Every port that cannot be bound; then nothing new stays bound.
    pub(crate) fn prepare(&self, config: &Config, listens: bool) -> Result<Prepared, Vec<BindError>> {
        let pool = |backend: &model::backend::Backend| match self.pools.get(&backend.name) {
            Some(pool) => Arc::clone(pool),
            None => Arc::new(Pool::new(backend)),
        };
        let pools: BTreeMap<_, _> = config.backends.iter().map(|b| (b.name.clone(), pool(b))).collect();
        // The configuration is parsed: every frontend and every route names a backend that exists.
        let behind = |frontend: &model::frontend::Frontend| -> Option<Box<[Arc<Pool>]>> {
            frontend.backends().map(|name| pools.get(name).cloned()).collect()
        };
        let served = config.frontends.iter().filter_map(|frontend| Some((frontend, behind(frontend)?)));
        let frontends: Vec<_> = served.map(|(settings, pools)| self.frontend(settings, pools)).collect();
        let (mut kept, mut bound, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        let ports = frontends.iter().flat_map(|f| f.settings().ports.iter().map(move |route| (f, *route)));
        for (frontend, route) in ports.filter(|_| listens) {
            match self.listener(frontend.vip(route), frontend.settings().protocol) {
                Some(listener) => kept.push((Arc::clone(listener), Arc::clone(frontend), route)),
                None => match Listener::bind(Arc::clone(frontend), route) {
                    Ok(listener) => bound.push(listener),
                    Err(error) => errors.push(error),
                },
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let new = bound.iter().map(|listener| Arc::clone(listener.record()));
        let listeners = kept.iter().map(|(listener, ..)| Arc::clone(listener)).chain(new).collect();
        let (backends, max_connections) = (config.backends.clone(), config.limits.max_connections);
        Ok(Prepared { backends, layout: Self { pools, frontends, listeners }, kept, bound, max_connections })
    }

    /// The same one while nothing of it changes, so that nobody notices.
    fn frontend(&self, settings: &model::frontend::Frontend, pools: Box<[Arc<Pool>]>) -> Arc<Frontend> {
        let has_these = |known: &Frontend| known.pools().iter().zip(&pools).all(|(old, new)| Arc::ptr_eq(old, new));
        match self.frontends.iter().find(|known| known.settings().name == settings.name) {
            Some(known) if known.settings() == settings && has_these(known) => Arc::clone(known),
            Some(known) => Arc::new(known.reconfigured(settings.clone(), pools)),
            None => Arc::new(Frontend::new(settings.clone(), pools)),
        }
    }

    fn listener(&self, address: SocketAddr, protocol: Protocol) -> Option<&Arc<ListenerRecord>> {
        let is_it = |known: &ListenerRecord| known.address() == address && known.protocol() == protocol;
        self.listeners.iter().find(|listener| is_it(listener) && listener.is_alive())
    }
}

impl Prepared {
    /// Puts it in the place of `before`: servers first, so that no frontend leads to a backend that is not ready; the listeners
    /// that nobody needs any more close. `adjust` says of each backend what is asked of it at run time. What was bound
    /// anew is for the caller to run.
    pub(crate) fn replace(
        self,
        before: &Layout,
        adjust: impl Fn(&BackendName, &mut Snapshot),
    ) -> (Arc<Layout>, Vec<Listener>) {
        for (backend, pool) in self.backends.iter().filter_map(|b| Some((b, self.layout.pools.get(&b.name)?))) {
            pool.reconfigure(backend, |snapshot| adjust(&backend.name, snapshot));
        }
        self.layout.frontends.iter().for_each(|frontend| frontend.take_effect());
        for (listener, frontend, route) in &self.kept {
            listener.assign(frontend, *route);
        }
        let is_kept =
            |listener: &Arc<ListenerRecord>| self.layout.listeners.iter().any(|kept| Arc::ptr_eq(kept, listener));
        before.listeners.iter().filter(|listener| !is_kept(listener)).for_each(|listener| listener.close());
        (Arc::new(self.layout), self.bound)
    }
}
