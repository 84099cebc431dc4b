use super::*;
use crate::credentials::PresentedTo;

#[test]
fn every_variable_name_maps_back_to_its_key() {
    for key in &KEYS {
        let name = key.variable();
        let path = name
            .strip_prefix(PREFIX)
            .unwrap()
            .replace("__", ".")
            .to_ascii_lowercase();
        assert_eq!(find(&path).unwrap().path, key.path);
    }
}

#[test]
fn every_path_is_unique_and_no_key_is_also_a_table() {
    for key in &KEYS {
        assert_eq!(
            KEYS.iter().filter(|other| other.path == key.path).count(),
            1,
            "{}",
            key.path
        );
        assert!(!is_section(key.path), "{}", key.path);
    }
}

#[test]
fn a_misspelt_key_is_matched_to_the_one_that_was_meant() {
    for (unknown, meant) in [
        ("upstream.ulr", "upstream.url"),
        ("upstrem", "upstream"),
        ("client_id", "token.client_id"),
        ("upstream.connect-timeout", "upstream.connect_timeout"),
        (
            "token.pingone.enviroment_id",
            "token.pingone.environment_id",
        ),
    ] {
        assert_eq!(nearest_path(unknown).as_deref(), Some(meant), "{unknown}");
    }
    assert_eq!(nearest_path("quite_something_else"), None);
    assert_eq!(
        nearest_variable("CUPBEARER_UPSTREAM_URL").as_deref(),
        Some("CUPBEARER_UPSTREAM__URL")
    );
}

#[test]
fn the_credentials_room_names_keys_that_exist() {
    for to in [PresentedTo::Upstream, PresentedTo::TokenEndpoint] {
        for path in [to.cert_key(), to.private_key_setting()] {
            assert!(find(path).is_some(), "{path}");
        }
    }
}

#[test]
fn outside_unix_no_example_or_address_is_one_of_unix() {
    for key in &KEYS {
        let texts = [key.fallback.text(), key.help].map(|text| on_system(text, false));
        for folder in ["/run/", "/etc/", "/var/"] {
            let is_unix = |text: &String| text.contains(folder) || text.contains("unix:");
            assert!(!texts.iter().any(is_unix), "{}: {texts:?}", key.path);
        }
    }
    let here = on_system("{ file = \"/run/secrets/client_secret\" }", true);
    assert_eq!(here, "{ file = \"/run/secrets/client_secret\" }");
}
