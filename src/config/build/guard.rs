//! `guard.*`: who may call, and what callers may do.

use crate::config::address;
use crate::config::certificate_name::CertificateName;
use crate::config::content::ValueSource;
use crate::config::guard::{AccessRules, CallerConfig, GuardConfig, Rule};
use crate::config::keys::{self, Key, caller_path, is_caller_name};
use crate::config::problems::InvalidValue;
use crate::config::values::Values;
use crate::text::quoted;

/// The whole table.
pub(super) fn guard(values: &mut Values) -> Option<GuardConfig> {
    let hosts = each(values, &keys::GUARD_HOSTS, address::host_name);
    let origins = each(values, &keys::GUARD_ORIGINS, address::web_origin);
    let local_users = values.read(&keys::GUARD_LOCAL_USERS);
    let rules = access_rules(
        values,
        (keys::GUARD_READ_ONLY.path(), &keys::GUARD_READ_ONLY),
        (keys::GUARD_ALLOW.path(), &keys::GUARD_ALLOW),
        (keys::GUARD_DENY.path(), &keys::GUARD_DENY),
    );
    let callers = callers(values);
    let is_network_open = values.read(&keys::GUARD_NETWORK);
    let share_login = values.read(&keys::GUARD_SHARE_LOGIN);
    Some(GuardConfig {
        hosts: hosts?,
        origins: origins?,
        local_users: local_users?,
        rails: rules?,
        callers,
        is_network_open: is_network_open?,
        keeps_authorization: false, // decided when `token` is known
        share_login: share_login?,
    })
}

/// The valid callers; problems with others are reported.
fn callers(values: &mut Values) -> Vec<CallerConfig> {
    let named: Vec<(String, ValueSource)> = values
        .layers
        .callers
        .iter()
        .map(|(name, source)| (name.clone(), source.clone()))
        .collect();
    let callers: Vec<CallerConfig> = named
        .iter()
        .filter_map(|(name, source)| caller(values, name, source))
        .collect();
    for (at, one) in callers.iter().enumerate() {
        if let Some(other) = callers[..at].iter().find(|other| is_the_same(one, other)) {
            let problem = format!("is also the uid of guard.callers.{}", other.name);
            let path = caller_path(&one.name, keys::CALLER_UID.path());
            values.reject(&path, (problem, "give one of them a key, or remove it"));
        }
        let mut others = callers[..at].iter();
        if one.san.is_some()
            && let Some(other) = others.find(|other| other.san == one.san)
        {
            let problem = format!("is also the san of guard.callers.{}", other.name);
            let path = caller_path(&one.name, keys::CALLER_SAN.path());
            values.reject(&path, (problem, "give each caller its own name"));
        }
    }
    callers
}

/// Two callers with the same uid and nothing else cannot be told apart.
fn is_the_same(one: &CallerConfig, other: &CallerConfig) -> bool {
    let has_only_uid = |one: &CallerConfig| one.key.is_none() && one.san.is_none();
    has_only_uid(one) && has_only_uid(other) && one.uid == other.uid
}

fn caller(values: &mut Values, name: &str, source: &ValueSource) -> Option<CallerConfig> {
    let table = format!("guard.callers.{name}");
    if !is_caller_name(name) {
        let problem = format!("{} is not a valid name for a caller", quoted(name));
        let remedy = "write 1 to 32 of a-z, 0-9, \"-\" and single \"_\" between them";
        values
            .layers
            .problems
            .push(table, source, (problem, remedy));
        return None;
    }
    let path = |path: &str| caller_path(name, path);
    let key_path = path(keys::CALLER_KEY.path());
    let uid_path = path(keys::CALLER_UID.path());
    let san_path = path(keys::CALLER_SAN.path());
    let key = values.secret(&key_path);
    let san = values.read_at(&san_path, &keys::CALLER_SAN);
    let san = san.and_then(|text| values.checked(&san_path, CertificateName::parse(&text)));
    let uid = values.read_at(&uid_path, &keys::CALLER_UID);
    let rules = access_rules(
        values,
        (
            &path(keys::CALLER_READ_ONLY.path()),
            &keys::CALLER_READ_ONLY,
        ),
        (&path(keys::CALLER_ALLOW.path()), &keys::CALLER_ALLOW),
        (&path(keys::CALLER_DENY.path()), &keys::CALLER_DENY),
    );
    let is_identified = [&key_path, &san_path, &uid_path]
        .iter()
        .any(|path| values.is_set(path));
    if !is_identified {
        let problem = "has neither a key nor a san nor a uid, so nobody can be this caller";
        let remedy = format!(
            "write {key_path} = {{ file = \"…\" }} (`cupbearer keygen --caller {name}` makes one), or {uid_path} = 1000"
        );
        values
            .layers
            .problems
            .push(table, source, (problem, remedy));
        return None;
    }
    let caller = CallerConfig {
        name: name.to_owned(),
        key,
        san,
        uid,
        rails: rules.clone().unwrap_or_default(),
    };
    if caller.key.is_some() {
        values.named.callers.push(caller.clone());
    }
    rules.map(|_| caller)
}

/// `read_only`, `allow` and `deny`, each at its path. An invalid rule is reported and left out.
fn access_rules(
    values: &mut Values,
    (read_only_path, read_only): (&str, &Key<bool>),
    (allow_path, allow): (&str, &Key<Vec<String>>),
    (deny_path, deny): (&str, &Key<Vec<String>>),
) -> Option<AccessRules> {
    let read_only = values.read_at(read_only_path, read_only);
    let allow = match values.read_at(allow_path, allow) {
        Some(texts) if texts.is_empty() => {
            let remedy = "remove it to allow everything, or list what is allowed";
            values.reject(allow_path, ("allows nothing at all", remedy));
            None
        }
        Some(texts) => Some(rules(values, allow_path, &texts)),
        None => None,
    };
    let denied = values.read_at(deny_path, deny);
    let deny = denied.map(|texts| rules(values, deny_path, &texts));
    Some(AccessRules {
        read_only: read_only?,
        allow,
        deny: deny?,
    })
}

fn rules(values: &mut Values, path: &str, texts: &[String]) -> Vec<Rule> {
    texts
        .iter()
        .filter_map(|text| values.checked(path, Rule::parse(text)))
        .collect()
}

fn each(
    values: &mut Values,
    key: &Key<Vec<String>>,
    check: fn(&str) -> Result<String, InvalidValue>,
) -> Option<Vec<String>> {
    let texts = values.read(key)?;
    let good = texts
        .iter()
        .filter_map(|text| values.checked(key.path(), check(text)));
    Some(good.collect())
}
