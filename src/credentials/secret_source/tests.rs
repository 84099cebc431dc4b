use super::*;

fn file_source(bytes: &[u8]) -> (tempfile::NamedTempFile, SecretSource) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let source = SecretSource::File(file.path().to_owned());
    (file, source)
}

fn command_source(words: &[&str]) -> SecretSource {
    SecretSource::Command(words.iter().map(|word| (*word).to_owned()).collect())
}

#[tokio::test]
async fn one_trailing_newline_is_trimmed_and_nothing_else() {
    let cases: [(&[u8], &[u8]); 7] = [
        (b"s", b"s"),
        (b"s\n", b"s"),
        (b"s\r\n", b"s"),
        (b"s\n\n", b"s\n"),
        (b"s\r", b"s\r"),
        (b" s \n", b" s "),
        (b"s\nt\n", b"s\nt"),
    ];
    for (bytes, secret) in cases {
        let (_file, source) = file_source(bytes);
        assert_eq!(source.read().await.unwrap().expose(), secret, "{bytes:?}");
    }
}

#[tokio::test]
async fn each_unusable_file_has_an_error_of_its_own_that_holds_nothing_of_the_secret() {
    for bytes in [&b""[..], b"\n", b"\r\n"] {
        let (_file, source) = file_source(bytes);
        assert!(matches!(source.read().await, Err(SecretError::Empty(_))));
    }
    for bytes in [&b"\xEF\xBB\xBFhunter2"[..], b"\xFF\xFEh\0"] {
        let (_file, source) = file_source(bytes);
        let error = source.read().await.unwrap_err();
        assert!(matches!(error, SecretError::ByteOrderMark(_)));
        assert!(!format!("{error} {error:?} {}", error.remedy()).contains("hunter2"));
    }
    let (_file, source) = file_source(&vec![b'x'; 65_537]);
    assert!(matches!(source.read().await, Err(SecretError::TooLong(_))));
    let (_file, source) = file_source(&vec![b'x'; 65_536]);
    assert!(source.read().await.is_ok());
}

#[tokio::test]
async fn a_directory_and_a_missing_variable_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let error = SecretSource::File(directory.path().to_owned())
        .read()
        .await
        .unwrap_err();
    assert!(
        error.in_full().ends_with("cannot be read: is a directory"),
        "{}",
        error.in_full()
    );

    let error = SecretSource::Env("CUPBEARER_TEST_NO_SUCH".into())
        .read()
        .await
        .unwrap_err();
    assert!(matches!(error, SecretError::VariableUnset(_)));
}

#[test]
fn a_source_is_described_without_arguments_and_values() {
    assert_eq!(
        SecretSource::File("/run/x".into()).describe(),
        "file /run/x"
    );
    assert_eq!(
        command_source(&["op", "read", "hunter2"]).describe(),
        "command op"
    );
    let value = SecretSource::Value(Secret::new("hunter2"));
    assert!(!format!("{} {value:?}", value.describe()).contains("hunter2"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_yields_its_standard_output_and_has_no_input() {
    let source = command_source(&["sh", "-c", "cat; echo noise >&2; echo secret"]);
    assert_eq!(source.read().await.unwrap().expose(), b"secret");
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_that_fails_is_missing_or_prints_nothing_or_too_much_is_an_error() {
    let failed = command_source(&["sh", "-c", "echo hunter2; exit 3"])
        .read()
        .await
        .unwrap_err();
    assert!(matches!(failed, SecretError::CommandFailed { .. }));
    assert!(!format!("{failed} {failed:?}").contains("hunter2"));
    let missing = command_source(&["/no/such/program"]).read().await;
    assert!(matches!(missing, Err(SecretError::CommandStart { .. })));
    assert!(matches!(
        command_source(&["true"]).read().await,
        Err(SecretError::Empty(_))
    ));
    let endless = command_source(&["sh", "-c", "exec cat /dev/zero"])
        .read()
        .await;
    assert!(matches!(endless, Err(SecretError::TooLong(_))));
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_command_that_does_not_end_is_killed_after_thirty_seconds() {
    let before = tokio::time::Instant::now();
    let error = command_source(&["sleep", "1000"]).read().await.unwrap_err();
    assert!(matches!(error, SecretError::CommandTimeout { .. }));
    assert_eq!(before.elapsed().as_secs(), 30);
}

#[cfg(unix)]
#[test]
fn a_file_that_every_user_can_read_gets_a_warning_unless_it_is_in_a_kubernetes_volume() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let directory = tempfile::tempdir().unwrap();
    let version = directory.path().join("..2026_01_01");
    std::fs::create_dir(&version).unwrap();
    std::fs::write(version.join("key"), "s").unwrap();
    std::fs::set_permissions(version.join("key"), PermissionsExt::from_mode(0o644)).unwrap();
    symlink("..2026_01_01", directory.path().join("..data")).unwrap();
    symlink("..data/key", directory.path().join("key")).unwrap();
    symlink("..2026_01_01/key", directory.path().join("plain")).unwrap();
    let warning = |name: &str| SecretSource::File(directory.path().join(name)).exposed();

    assert_eq!(warning("key"), None);
    assert!(warning("plain").unwrap().contains("chmod 600"));
    assert!(warning("..2026_01_01/key").is_some());
    assert_eq!(warning("missing"), None);
}
