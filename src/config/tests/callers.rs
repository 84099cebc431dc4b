//! `guard.callers`, the one table whose names are chosen by the user.

use super::*;
use crate::credentials::SecretSource;

const FILE: &str = "[guard.callers.ci]\nkey = { file = \"/run/ci\" }\nallow = [\"GET /api/**\"]\n\
                    [guard.callers.alice]\nuid = 1000\nread_only = true\n";

#[test]
fn a_caller_can_be_set_equally_in_a_file_by_variables_and_by_flags() {
    let variables = [
        ("CUPBEARER_GUARD__CALLERS__CI__KEY__FILE", "/run/ci"),
        ("CUPBEARER_GUARD__CALLERS__CI__ALLOW", "[\"GET /api/**\"]"),
        ("CUPBEARER_GUARD__CALLERS__ALICE__UID", "1000"),
    ];
    let by_file = from_bytes(FILE.as_bytes(), &with(&[])).unwrap();
    let others = load(
        &flags(&[("guard.callers.alice.read_only", "true")]),
        &with(&variables),
    )
    .unwrap();

    assert_eq!(others.warnings, [""; 0]);
    assert_eq!(
        format!("{:?}", by_file.config.guard),
        format!("{:?}", others.config.guard)
    );
    let [alice, ci] = &by_file.config.guard.callers[..] else {
        panic!("two callers")
    };
    assert_eq!((alice.name.as_str(), alice.uid), ("alice", Some(1000)));
    assert!(alice.rails.read_only && alice.key.is_none());
    assert!(matches!(&ci.key, Some(SecretSource::File(path)) if path == Path::new("/run/ci")));
    assert_eq!(ci.rails.allow.as_ref().map(Vec::len), Some(1));
}

#[test]
fn variables_and_flags_add_to_and_override_the_keys_of_a_caller_in_the_file() {
    let variables = with(&[("CUPBEARER_GUARD__CALLERS__CI__READ_ONLY", "true")]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.toml");
    std::fs::write(&path, FILE).unwrap();
    let overrides = Overrides {
        file: Some(path.clone()),
        ..flags(&[("guard.callers.alice.uid", "0")])
    };

    let loaded = load(&overrides, &variables).unwrap();

    let shown = |key| {
        let row = row(&loaded, key);
        (row.value.as_str(), row.source.as_str())
    };
    let at = |line: usize| format!("{}:{line}", path.display());
    for (key, value, source) in [
        ("guard.callers.ci.key", "(set)", &*at(2)),
        ("guard.callers.ci.uid", "(unset)", "default"),
        (
            "guard.callers.ci.read_only",
            "true",
            "CUPBEARER_GUARD__CALLERS__CI__READ_ONLY",
        ),
        ("guard.callers.ci.allow", "[\"GET /api/**\"]", &at(3)),
        ("guard.callers.ci.deny", "[]", "default"),
        ("guard.callers.alice.uid", "0", "--set"),
    ] {
        assert_eq!(shown(key), (value, source), "{key}");
    }
    let place = row(&loaded, "guard.callers.ci.key").place.as_deref();
    assert_eq!(place, Some("file /run/ci"));
    let at = |key: &str| loaded.effective.iter().position(|row| row.key == key);
    assert_eq!(
        at("guard.callers.alice.key"),
        at("guard.deny").map(|at| at + 1)
    );
}

#[test]
fn a_callers_key_is_never_read_from_a_flag_or_from_two_variables() {
    for key in ["guard.callers.ci.key", "guard.callers.ci.key.file"] {
        let said = said(load(&flags(&[(key, "hunter2")]), &with(&[])));
        assert!(
            said.contains("set CUPBEARER_GUARD__CALLERS__CI__KEY__FILE")
                && !said.contains("hunter2"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let both = with(&[
        ("CUPBEARER_GUARD__CALLERS__CI__KEY", "hunter2"),
        ("CUPBEARER_GUARD__CALLERS__CI__KEY__FILE", "/run/ci"),
    ]);
    let said = said(load(&Overrides::default(), &both));
    assert!(
        said.contains("guard.callers.ci.key: ") && said.contains("set only one"),
        "{said}"
    );
}

#[test]
fn an_unknown_variable_of_a_caller_is_an_error_that_names_the_nearest_one() {
    let variables = with(&[
        ("CUPBEARER_GUARD__CALLERS__CI__UID", "1"),
        ("CUPBEARER_GUARD__CALLERS__CI__KEE", "x"),
        ("CUPBEARER_GUARD__CALLERS", "x"),
    ]);
    let said = said(load(&Overrides::default(), &variables));
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(
        said.contains("did you mean CUPBEARER_GUARD__CALLERS__CI__KEY?"),
        "{said}"
    );
}

#[test]
fn a_listener_beyond_loopback_is_allowed_once_a_caller_has_a_key() {
    let listen = ("CUPBEARER_LISTEN", "0.0.0.0:1");
    let key = ("CUPBEARER_GUARD__CALLERS__CI__KEY__FILE", "/run/ci");
    assert!(load(&Overrides::default(), &with(&[listen, key])).is_ok());
    let said = said(load(&Overrides::default(), &with(&[listen])));
    assert!(
        said.contains("no caller has a key") && said.contains("guard.network"),
        "{said}"
    );
}

#[test]
fn keys_that_cross_a_network_unencrypted_cause_a_warning() {
    let warnings = |text: &str| from_bytes(text.as_bytes(), &with(&[])).unwrap().warnings;
    let key = "[guard.callers.ci]\nkey = { file = \"/run/ci\" }\n";
    let tls = "[tls]\ncert_file = \"c\"\nkey_file = \"k\"\n";
    let network = format!("listen = \"0.0.0.0:1\"\n{key}");
    let [warning] = &warnings(&network)[..] else {
        panic!("one warning")
    };
    assert!(
        warning.contains("unencrypted; set tls.cert_file and tls.key_file"),
        "{warning}"
    );
    for harmless in [
        format!("{network}{tls}"),
        format!("listen = \"127.0.0.1:1\"\n{key}"),
        "listen = \"0.0.0.0:1\"\nguard.network = \"open\"".to_owned(),
    ] {
        assert_eq!(warnings(&harmless), [""; 0], "{harmless}");
    }
}
