//! Configurations for the unit tests of this room.

use crate::config::{self, Config, Overrides, Setting, Surroundings};

pub(super) const ENVIRONMENT: &str = "5c1b6e2e-7d1a-4a5e-9c55-0d3f0a9be001";

/// A configuration with `PingOne` in Europe and the self-service API of `dev`, and with these keys changed.
pub(super) fn config(more: &[(&str, &str)]) -> Config {
    let pingone = [
        (
            "upstream.url",
            "https://self-service-api.dev-x.us1.ping.cloud",
        ),
        ("token.pingone.region", "eu"),
        ("token.pingone.environment_id", ENVIRONMENT),
        ("token.client_id", "id"),
    ];
    let names_endpoint = |key: &str| key.starts_with("token.pingone") || key == "token.url";
    let other = more.iter().any(|(key, _)| names_endpoint(key));
    let settings = pingone
        .iter()
        .filter(|(key, _)| !(other && names_endpoint(key)))
        .filter(|(key, _)| !more.iter().any(|(changed, _)| changed == key))
        .chain(more)
        .map(|(key, text)| Setting {
            flag: "--set",
            key: (*key).to_owned(),
            text: (*text).to_owned(),
        });
    let overrides = Overrides {
        settings: settings.collect(),
        ..Overrides::default()
    };
    let secret = ("CUPBEARER_TOKEN__CLIENT_SECRET".into(), "s".into());
    let surroundings = Surroundings {
        variables: vec![secret],
        working_directory: "/nowhere".into(),
        ..Surroundings::default()
    };
    let loaded = config::load(&overrides, &surroundings);
    loaded
        .unwrap_or_else(|problems| panic!("{problems}"))
        .config
}
