//! The data path that new requests take. A reload puts another one in its place; requests under way keep
//! the one they began with.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Proxy;
use super::body::Inbound;

/// One worker's data path, replaceable while it is in use.
pub struct Current<I: Inbound>(ArcSwap<Proxy<I>>);

impl<I: Inbound> Current<I> {
    /// With `proxy` in its place.
    #[must_use]
    pub fn new(proxy: Proxy<I>) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(proxy)))
    }

    /// What serves now.
    #[must_use]
    pub fn get(&self) -> Arc<Proxy<I>> {
        self.0.load_full()
    }

    /// From here on every new request, also on a connection that is open, takes `proxy`.
    pub fn replace(&self, proxy: Proxy<I>) {
        self.0.store(Arc::new(proxy));
    }
}
