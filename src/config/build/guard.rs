//! `guard.*`: what is let in, as whom, and how far.

use crate::config::keys::is_caller_name;
use crate::config::layers::ValueSource;
use crate::config::problems::InvalidValue;
use crate::config::values::Values;
use crate::config::{AccessRules, CallerConfig, GuardConfig, Rule, address};
use crate::text::quoted;

/// The whole table.
pub(super) fn guard(values: &mut Values) -> Option<GuardConfig> {
    let hosts = each(values, "guard.hosts", address::host_name);
    let origins = each(values, "guard.origins", address::web_origin);
    let local_users = values.users("guard.local_users");
    let rails = rails(values, "guard");
    let callers = callers(values);
    let is_network_open = values.choice("guard.network", &[false, true]);
    Some(GuardConfig {
        hosts: hosts?,
        origins: origins?,
        local_users: local_users?,
        rails: rails?,
        callers,
        is_network_open: is_network_open?,
    })
}

/// Problems are reported; what is left is enough to go on with.
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
            let problem = format!("is the uid of guard.callers.{} too", other.name);
            let path = format!("guard.callers.{}.uid", one.name);
            values.wrong(&path, (problem, "give one of them a key, or remove it"));
        }
    }
    callers
}

/// Two callers that only a uid tells apart must not have the same.
fn is_the_same(one: &CallerConfig, other: &CallerConfig) -> bool {
    one.key.is_none() && other.key.is_none() && one.uid == other.uid
}

fn caller(values: &mut Values, name: &str, source: &ValueSource) -> Option<CallerConfig> {
    let table = format!("guard.callers.{name}");
    if !is_caller_name(name) {
        let problem = format!("{} is no usable name for a caller", quoted(name));
        let remedy = "write 1 to 32 of a-z, 0-9, \"-\" and single \"_\" between them";
        values
            .layers
            .problems
            .push(table, source, (problem, remedy));
        return None;
    }
    let (key_path, uid_path) = (format!("{table}.key"), format!("{table}.uid"));
    let key = values.secret(&key_path);
    let uid = values.count(&uid_path);
    let rails = rails(values, &table);
    if !values.is_given(&key_path) && !values.is_given(&uid_path) {
        let remedy = format!(
            "write {key_path} = {{ file = \"…\" }} (`cupbearer keygen --caller {name}` makes one), or {uid_path} = 1000"
        );
        let complaint = ("has neither key nor uid: nobody could be it", remedy);
        values.layers.problems.push(table, source, complaint);
        return None;
    }
    Some(CallerConfig {
        name: name.to_owned(),
        key,
        uid: uid.and_then(|uid| u32::try_from(uid).ok()),
        rails: rails?,
    })
}

/// `read_only`, `allow` and `deny` of a table. A broken rule is reported and left out.
fn rails(values: &mut Values, table: &str) -> Option<AccessRules> {
    let read_only = values.switch(&format!("{table}.read_only"));
    let allow = format!("{table}.allow");
    let problems = values.layers.problems.iter().count();
    let allowed = rules(values, &allow);
    let none_broken = problems == values.layers.problems.iter().count();
    if allowed.as_ref().is_some_and(Vec::is_empty) && none_broken {
        let remedy = "leave it out to allow everything, or name what is allowed";
        values.wrong(&allow, ("allows nothing at all", remedy));
    }
    let denied = rules(values, &format!("{table}.deny"));
    Some(AccessRules {
        read_only: read_only?,
        allow: allowed,
        deny: denied?,
    })
}

fn rules(values: &mut Values, path: &str) -> Option<Vec<Rule>> {
    let texts = values.texts(path)?;
    let good = texts
        .iter()
        .filter_map(|text| values.checked(path, Rule::parse(text)));
    Some(good.collect())
}

fn each(
    values: &mut Values,
    path: &str,
    check: fn(&str) -> Result<String, InvalidValue>,
) -> Option<Vec<String>> {
    let texts = values.texts(path)?;
    let good: Vec<String> = texts
        .iter()
        .filter_map(|text| values.checked(path, check(text)))
        .collect();
    Some(good)
}
