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
mod tests {
    use super::*;
    use crate::config::keys::{CALLER_KEYS, KEYS};

    #[test]
    fn every_key_has_an_effect() {
        for key in KEYS.iter().chain(&CALLER_KEYS) {
            assert!(effect(key.path).is_some(), "{}", key.path);
        }
        assert_eq!(effect("no.key"), None);
    }

    #[test]
    fn only_these_keys_need_a_restart() {
        let all: Vec<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
        assert_eq!(
            need_restart(&all),
            [
                "name",
                "listen",
                "listen_mode",
                "admin.listen",
                "log.format",
                "runtime.threads"
            ]
        );
    }

    #[test]
    fn what_is_done_follows_from_the_keys() {
        let plan = |keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            let plan = Plan::of(&keys);
            (
                plan.identity(),
                plan.guard(),
                plan.data_path(),
                plan.process(),
            )
        };
        assert_eq!(plan(&[]), (false, false, false, false));
        assert_eq!(plan(&["listen"]), (false, false, false, false));
        assert_eq!(plan(&["drain"]), (false, false, false, true));
        assert_eq!(plan(&["upstream.via"]), (false, false, true, false));
        assert_eq!(plan(&["limits.in_flight"]), (false, false, true, false));
        assert_eq!(
            plan(&["guard.callers.ci", "listen"]),
            (false, true, true, false)
        );
        assert_eq!(
            plan(&["token.scope", "guard.deny"]),
            (true, true, true, false)
        );
        assert_eq!(plan(&["network.ca_file"]), (true, false, true, false));
    }
}
