//! `SSL_CERT_FILE` and `SSL_CERT_DIR` that name nothing usable.

use super::config;
use crate::outbound::peers::Ca;
use crate::support::Binary;

async fn check(variable: &str, value: &str) -> String {
    let (code, said) = Binary::run(&config(&[]), "check", &[(variable, value)]).await;
    assert_eq!(code, Some(0), "{said}");
    said
}

#[tokio::test]
async fn a_variable_that_names_nothing_usable_is_a_warning_with_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(path("empty.pem"), "nothing").unwrap();
    std::fs::create_dir(path("empty")).unwrap();
    std::fs::create_dir(path("good")).unwrap();
    std::fs::write(path("good/ca.pem"), Ca::new("A").pem).unwrap();
    for (variable, value, words) in [
        ("SSL_CERT_FILE", path("none"), Some("which does not exist")),
        (
            "SSL_CERT_FILE",
            path("empty.pem"),
            Some("which holds no certificate"),
        ),
        ("SSL_CERT_DIR", path("none"), Some("which does not exist")),
        (
            "SSL_CERT_DIR",
            path("empty"),
            Some("which holds no certificate"),
        ),
        ("SSL_CERT_FILE", path("good"), Some("which is a directory")),
        (
            "SSL_CERT_DIR",
            path("good/ca.pem"),
            Some("which cannot be read"),
        ),
        ("SSL_CERT_FILE", path("good/ca.pem"), None),
        ("SSL_CERT_DIR", path("good"), None),
    ] {
        let said = check(variable, &value).await;
        match words {
            None => assert!(!said.contains("SSL_CERT"), "{said}"),
            Some(words) => {
                let warning = format!(
                    "warning: {variable} names {value}, {words}; no certificate authority of the system is trusted"
                );
                assert!(said.contains(&warning), "{said}");
            }
        }
    }
}

/// A FIFO never ends, nor does a device: neither may be read, by any command.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_is_no_regular_file_is_not_read_as_a_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    std::fs::create_dir(path("store")).unwrap();
    for name in ["fifo", "store/fifo"] {
        let made = std::process::Command::new("mkfifo")
            .arg(path(name))
            .status();
        assert!(made.unwrap().success());
    }
    // Only its length is large: 1 TiB.
    let long = std::fs::File::create(path("long")).unwrap();
    long.set_len(1 << 40).unwrap();
    let too_long = "is longer than 16777216 bytes";
    for (variable, value, what) in [
        ("SSL_CERT_FILE", path("fifo"), "is not a regular file"),
        (
            "SSL_CERT_FILE",
            "/dev/zero".to_owned(),
            "is not a regular file",
        ),
        ("SSL_CERT_FILE", path("long"), too_long),
        ("SSL_CERT_DIR", path("store"), "holds no certificate"),
    ] {
        let warning = format!("{variable} names {value}, which {what}");
        let said = check(variable, &value).await;
        assert!(said.contains(&warning), "{said}");
        for command in ["doctor", "token"] {
            let settings = ["network.proxy=none", "token.url=https://127.0.0.1:9/t"];
            let variables = [(variable, value.as_str())];
            let (code, said) = Binary::run(&config(&settings), command, &variables).await;
            assert_ne!(code, None, "{command}: {said}");
            let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(line.contains(&warning), "{command}: {said}");
        }
    }
    std::fs::write(path("store/ca.pem"), Ca::new("A").pem).unwrap();
    let said = check("SSL_CERT_DIR", &path("store")).await;
    assert!(!said.contains("SSL_CERT"), "{said}");
    let said = check("SSL_CERT_FILE", "").await;
    assert!(
        said.contains("warning: SSL_CERT_FILE is empty; no certificate"),
        "{said}"
    );
}

#[tokio::test]
async fn the_doctor_says_which_store_is_in_use_and_how_many_authorities_it_holds() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(path("ca.pem"), Ca::new("A").pem + &Ca::new("B").pem).unwrap();
    let settings = [
        "network.proxy=none",
        &format!("network.ca_file={}", path("ca.pem")),
    ];
    // Without a server that is reached with TLS, an empty store is no fault.
    let https = [settings[0], "upstream.url=https://127.0.0.1:9"];
    for (settings, value, words) in [
        (
            &settings[..1],
            path("ca.pem"),
            "trusts 2 certificate authorities of SSL_CERT_FILE=",
        ),
        (
            &settings,
            path("none"),
            "trusts 0 certificate authorities of SSL_CERT_FILE=",
        ),
        (&https, path("none"), "correct or unset that variable"),
    ] {
        let variables = [("SSL_CERT_FILE", value.as_str())];
        let (_, said) = Binary::run(&config(settings), "doctor", &variables).await;
        let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(line.contains(words), "{said}");
        assert_eq!(
            line.contains("which does not exist"),
            value.ends_with("none"),
            "{said}"
        );
    }
}
