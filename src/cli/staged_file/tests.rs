use super::*;

#[test]
fn an_error_is_the_systems_and_does_not_name_the_temporary_file() {
    let directory = tempfile::tempdir().unwrap();
    let destination = directory.path().join("missing").join("key.pem");
    let error = StagedFile::create(&destination, FileMode::Owner)
        .err()
        .unwrap();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(!error.to_string().contains(".cupbearer-"), "{error}");
}
