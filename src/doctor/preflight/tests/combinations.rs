//! Every two kinds of problems are reported together.

use std::collections::BTreeMap;

use super::*;

/// A kind of problem: lines of the configuration, and the key that is reported.
struct Fault {
    lines: &'static [(&'static str, &'static str)],
    key: &'static str,
}

const fn fault(lines: &'static [(&'static str, &'static str)], key: &'static str) -> Fault {
    Fault { lines, key }
}

const FAULTS: [Fault; 44] = [
    fault(
        &[("upstream.head_timeout", "'soon'")],
        "upstream.head_timeout",
    ),
    fault(&[("upstream.retry_body", "5")], "upstream.retry_body"),
    fault(&[("upstream.via", "'no'")], "upstream.via"),
    fault(&[("upstream.url", "'https://a..b.com'")], "upstream.url"),
    fault(
        &[("upstream.url", "'http://api.example.com'")],
        "upstream.url",
    ),
    fault(
        &[("upstream.url", "'http://localhost:6749'")],
        "upstream.url",
    ),
    fault(
        &[("upstream.headers", "{ Host = 'x' }")],
        "upstream.headers",
    ),
    fault(&[("upstream.openapi", "['x']")], "upstream.openapi"),
    fault(&[("upstream.san", "'!'")], "upstream.san"),
    fault(&[("upstream.ulr", "'x'")], "upstream.ulr"),
    fault(
        &[
            ("upstream.client_cert_file", "'/nonexistent'"),
            ("upstream.client_key_file", "'/nonexistent'"),
        ],
        "upstream.client_cert_file",
    ),
    fault(
        &[
            ("upstream.client_cert_file", "'DIR/cert'"),
            ("upstream.client_key_file", "'/nonexistent'"),
        ],
        "upstream.client_key_file",
    ),
    fault(
        &[("upstream.client_key_file", "'/nonexistent'")],
        "upstream.client_key_file",
    ),
    fault(&[("token.url", "'as.example.com'")], "token.url"),
    fault(
        &[("token.url", "'http://localhost:6749/token'")],
        "token.url",
    ),
    fault(&[("token.issuer", "'https://as.example.com'")], "token.url"),
    fault(&[("token.client_id", "' id'")], "token.client_id"),
    fault(
        &[("token.client_secret.file", "'/nonexistent'")],
        "token.client_secret",
    ),
    fault(
        &[("token.client_secret.file", "'DIR/empty'")],
        "token.client_secret",
    ),
    fault(&[("token.auth", "'client_secret_basik'")], "token.auth"),
    fault(&[("token.grant", "'client_credential'")], "token.grant"),
    fault(&[("token.wait", "'1'")], "token.wait"),
    fault(&[("token.algorithm", "'none'")], "token.algorithm"),
    fault(&[("token.params", "{ scope = 'x' }")], "token.params"),
    fault(&[("token.header", "'Host'")], "token.header"),
    fault(&[("network.ca_file", "'/nonexistent'")], "network.ca_file"),
    fault(&[("network.ca_file", "'DIR/empty'")], "network.ca_file"),
    fault(&[("network.proxy", "'ftp://x'")], "network.proxy"),
    fault(
        &[("network.proxy", "'http://localhost:6749'")],
        "network.proxy",
    ),
    fault(
        &[
            ("tls.cert_file", "'/nonexistent'"),
            ("tls.key_file", "'/nonexistent'"),
        ],
        "tls.cert_file",
    ),
    fault(
        &[
            ("tls.cert_file", "'/nonexistent'"),
            ("tls.key_file", "'/nonexistent'"),
        ],
        "tls.key_file",
    ),
    fault(&[("tls.key_file", "'/nonexistent'")], "tls.key_file"),
    fault(&[("tls.require_client", "'yes'")], "tls.require_client"),
    fault(&[("listen", "'x:y'")], "listen"),
    fault(&[("listen", "'0.0.0.0:6749'")], "listen"),
    fault(&[("admin.listen", "'0'")], "admin.listen"),
    fault(&[("guard.deny", "['x']")], "guard.deny"),
    fault(&[("guard.hosts", "'x'")], "guard.hosts"),
    fault(&[("guard.local_users", "['x']")], "guard.local_users"),
    fault(&[("guard.callers.Ci.uid", "1")], "guard.callers.Ci"),
    fault(
        &[
            ("guard.callers.a.deny", "['x']"),
            ("guard.callers.a.uid", "1"),
        ],
        "guard.callers.a.deny",
    ),
    fault(
        &[("guard.callers.b.uid", "2"), ("guard.callers.c.uid", "2")],
        "guard.callers.c.uid",
    ),
    fault(&[("limits.connections", "0")], "limits.connections"),
    fault(&[("log.level", "'inof'")], "log.level"),
];

/// A valid configuration with these faults.
fn text(faults: &[&Fault], directory: &Path) -> String {
    let mut lines = BTreeMap::from([
        ("upstream.url", "'https://api.example.com'"),
        ("token.url", "'https://as.example.com/t'"),
        ("token.client_id", "'id'"),
        ("token.client_secret.file", "'DIR/secret'"),
    ]);
    lines.extend(faults.iter().flat_map(|fault| fault.lines).copied());
    let lines = lines
        .iter()
        .map(|(key, value)| format!("{key} = {value}\n"));
    lines
        .collect::<String>()
        .replace("DIR", &directory.display().to_string())
}

async fn reported(files: &[Vec<&Fault>], directory: &Path) -> Vec<String> {
    let overrides: Vec<Overrides> = files
        .iter()
        .enumerate()
        .map(|(index, faults)| {
            let file = directory.join(format!("{index}.toml"));
            let own = match index {
                0 => String::new(),
                _ => format!("name = 'p{index}'\n"),
            };
            std::fs::write(&file, own + &text(faults, directory)).unwrap();
            Overrides {
                file: Some(file),
                ..Overrides::default()
            }
        })
        .collect();
    let Err(problems) = load_all(&overrides, &Surroundings::default()).await else {
        return Vec::new();
    };
    problems.iter().map(|one| one.key.clone()).collect()
}

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    for (name, text) in [
        ("secret", "s3cret-value"),
        ("empty", ""),
        ("cert", &certificate.cert.pem()),
    ] {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

/// Two that set the same key are one configuration only.
fn are_compatible(one: &Fault, other: &Fault) -> bool {
    let sets = |key: &str| other.lines.iter().any(|(line, _)| *line == key);
    one.key != other.key && !one.lines.iter().any(|(line, _)| sets(line))
}

/// Pairs of which one changes what the other one means, so that it is no problem any more.
const EXCLUSIVE: [(&str, &str); 3] = [
    // The API is then not reached with TLS.
    ("upstream.san", "'http://"),
    ("upstream.client_", "'http://"),
    // There is no own address that it could be.
    ("'http://localhost:6749", "listen"),
];

fn is_exclusive(one: &Fault, other: &Fault) -> bool {
    let text = |fault: &Fault| -> String {
        let lines = fault.lines.iter();
        let lines: Vec<String> = lines
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        lines.join("\n") + "\n"
    };
    let (one, other) = (text(one), text(other));
    EXCLUSIVE
        .iter()
        .any(|(a, b)| one.contains(a) && other.contains(b) || one.contains(b) && other.contains(a))
}

#[tokio::test]
async fn every_two_kinds_of_problems_are_reported_together() {
    let directory = directory();
    assert!(reported(&[Vec::new()], directory.path()).await.is_empty());
    let mut missing = Vec::new();
    for (index, one) in FAULTS.iter().enumerate() {
        let alone = reported(&[vec![one]], directory.path()).await;
        assert!(
            alone.iter().any(|key| key == one.key),
            "{} alone: {alone:?}",
            one.key
        );
        for other in &FAULTS[index + 1..] {
            if !are_compatible(one, other) || is_exclusive(one, other) {
                continue;
            }
            let found = reported(&[vec![one, other]], directory.path()).await;
            for key in [one.key, other.key] {
                if !found.iter().any(|known| known == key) {
                    missing.push(format!("{key}: {} with {}: {found:?}", one.key, other.key));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[tokio::test]
async fn a_problem_of_one_file_does_not_hide_one_of_another() {
    let directory = directory();
    let [one, other] =
        ["listen", "admin.listen"].map(|key| FAULTS.iter().find(|fault| fault.key == key).unwrap());
    for fault in &FAULTS {
        // What the other file needs not share the first one's addresses.
        let second = Fault {
            lines: &[("listen", "'localhost:6760'")],
            key: "",
        };
        // What is wrong only because of an address would not be with these.
        if fault
            .lines
            .iter()
            .any(|(key, value)| ["listen", "admin.listen"].contains(key) || value.contains("6749"))
        {
            continue;
        }
        let found = reported(&[vec![one, other], vec![&second, fault]], directory.path()).await;
        for key in [one.key, other.key, fault.key] {
            assert!(
                found.iter().any(|known| known == key),
                "{key} with {}: {found:?}",
                fault.key
            );
        }
    }
}

#[tokio::test]
async fn an_invalid_file_of_authorities_is_not_missing_too() {
    let directory = directory();
    let invalid = fault(
        &[
            ("tls.cert_file", "'DIR/cert'"),
            ("tls.client_ca_file", "5"),
            ("tls.key_file", "'DIR/cert'"),
            ("tls.require_client", "true"),
        ],
        "tls.client_ca_file",
    );
    let found = reported(&[vec![&invalid]], directory.path()).await;
    let has = |key: &str| found.iter().any(|found| found == key);
    assert!(has(invalid.key) && !has("tls.require_client"), "{found:?}");
}
