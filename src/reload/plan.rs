//! What a changed key requires. Pure; this is the only place that knows it for every key.

/// What a new value of a key requires to take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyEffect {
    /// A restart of the process.
    Restart,
    /// A generation with a new token.
    Identity,
    /// A generation with another guard.
    Guard,
    /// A new generation.
    Generation,
    /// A change that all proxies of the process share.
    Process,
}

/// `None` for a key that does not exist.
pub(super) fn effect(key: &str) -> Option<KeyEffect> {
    let table = key.split_once('.').map_or(key, |(table, _)| table);
    Some(match (table, key) {
        ("name" | "listen" | "listen_mode" | "admin" | "runtime", _) | (_, "log.format") => {
            KeyEffect::Restart
        }
        // `network` also applies to the token endpoint, so the first token must come over the changed one.
        ("token" | "network", _) => KeyEffect::Identity,
        ("guard", _) => KeyEffect::Guard,
        ("upstream" | "limits" | "tls", _) => KeyEffect::Generation,
        ("log" | "drain" | "drain_delay", _) => KeyEffect::Process,
        _ => return None,
    })
}

/// What a set of changed keys requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReloadPlan(Vec<KeyEffect>);

impl ReloadPlan {
    /// A token that something else obtains (`has_source`) belongs to the API that it is configured beside.
    pub(super) fn of(changed: &[String], has_source: bool) -> Self {
        let of_key = |key: &String| match key.as_str() {
            "upstream.url" if has_source => Some(KeyEffect::Identity),
            key => effect(key),
        };
        Self(changed.iter().filter_map(of_key).collect())
    }

    /// Whether there is a new identity, which must have a token before it serves.
    pub(super) fn identity(&self) -> bool {
        self.0.contains(&KeyEffect::Identity)
    }

    /// Whether the guard changes, and may become stricter.
    pub(super) fn guard(&self) -> bool {
        self.0.contains(&KeyEffect::Guard)
    }

    /// Whether there is a new generation, for one of the reasons above or another.
    pub(super) fn generation(&self) -> bool {
        self.identity() || self.guard() || self.0.contains(&KeyEffect::Generation)
    }

    /// Whether `log.*` or `drain*` changes.
    pub(super) fn process(&self) -> bool {
        self.0.contains(&KeyEffect::Process)
    }
}

/// The `keys` that take effect only after a restart. If the file `moves_listener` between TCP and a unix socket, which
/// has no TLS, those of TLS belong to the listener of the next start.
pub(super) fn need_restart(keys: &[String], moves_listener: bool) -> Vec<String> {
    let waits = |key: &str| {
        effect(key) == Some(KeyEffect::Restart) || moves_listener && key.starts_with("tls.")
    };
    keys.iter().filter(|key| waits(key)).cloned().collect()
}

#[cfg(test)]
mod tests;
