//! CA files as people make them: joined with `cat`, saved with a byte order mark, or broken.

use super::config;
use crate::outbound::peers::Ca;
use crate::support::Binary;

/// The exit code of a command with this CA file, and what it printed.
async fn run(command: &str, bundle: &[u8]) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, bundle).unwrap();
    let setting = format!("network.ca_file={}", file.display());
    Binary::run(&config(&[&setting, "listen=127.0.0.1:0"]), command, &[]).await
}

#[tokio::test]
async fn a_broken_certificate_is_exit_3_with_its_number_from_check_and_from_run() {
    let good = Ca::new("Good CA").pem;
    let broken = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    for command in ["check", "run"] {
        let (code, said) = run(command, format!("{broken}{good}").as_bytes()).await;
        assert_eq!(code, Some(3), "{command}: {said}");
        assert!(said.contains("network.ca_file"), "{command}: {said}");
        assert!(
            said.contains(
                "certificate 1 of 2 is not accepted: its content is not an X.509 certificate"
            ),
            "{command}: {said}"
        );
        assert!(!said.contains("ca-certificates"), "{command}: {said}");
    }
}

#[tokio::test]
async fn certificates_that_share_a_line_and_byte_order_marks_are_read() {
    let (a, b) = (Ca::new("A").pem, Ca::new("B").pem);
    for bundle in [
        format!("{}{}", a.trim_end(), b),
        format!("\u{feff}{a}\u{feff}{b}"),
    ] {
        let (code, said) = run("check", bundle.as_bytes()).await;
        assert_eq!(code, Some(0), "{said}");
    }
}
