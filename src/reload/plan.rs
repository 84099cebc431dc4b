//! What a changed key takes: pure, one place for every key there is.

/// What has to happen so that a key's new value is in effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// The process has to be started anew.
    Restart,
    /// A new token, and with it a new data path.
    Identity,
    /// A new data path with another guard.
    Guard,
    /// A new data path.
    DataPath,
    /// Something that all proxies of the process share.
    Process,
}

/// `None` for a key that does not exist.
pub(super) fn effect(key: &str) -> Option<Effect> {
    let table = key.split_once('.').map_or(key, |(table, _)| table);
    Some(match (table, key) {
        ("name" | "listen" | "listen_mode" | "admin" | "runtime", _) | (_, "log.format") => {
            Effect::Restart
        }
        // `network` too: the token endpoint is reached the same way, and a token must be had by it first.
        ("token" | "network", _) => Effect::Identity,
        ("guard", _) => Effect::Guard,
        ("upstream" | "limits", _) => Effect::DataPath,
        ("log" | "drain" | "drain_delay", _) => Effect::Process,
        _ => return None,
    })
}

/// What has to be done about the keys that are different from what serves now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan(Vec<Effect>);

impl Plan {
    pub(super) fn of(changed: &[String]) -> Self {
        Self(changed.iter().filter_map(|key| effect(key)).collect())
    }

    /// Another identity: it serves once it has a token.
    pub(super) fn identity(&self) -> bool {
        self.0.contains(&Effect::Identity)
    }

    /// Another guard, perhaps a stricter one.
    pub(super) fn guard(&self) -> bool {
        self.0.contains(&Effect::Guard)
    }

    /// Another data path, be it only for one of the above.
    pub(super) fn data_path(&self) -> bool {
        self.identity() || self.guard() || self.0.contains(&Effect::DataPath)
    }

    /// `log.*`, `drain*`.
    pub(super) fn process(&self) -> bool {
        self.0.contains(&Effect::Process)
    }
}

/// Those of `keys` that only a restart brings into effect.
pub(super) fn need_restart(keys: &[String]) -> Vec<String> {
    let keys = keys.iter();
    keys.filter(|key| effect(key) == Some(Effect::Restart))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests;
