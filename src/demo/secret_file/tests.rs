use super::*;

#[test]
fn only_its_owner_can_read_the_secret_file_and_it_is_removed_with_the_demo() {
    let file = SecretFile::write(&Secret::new("s3cret")).unwrap();
    let path = file.path().to_owned();

    assert_eq!(fs::read(&path).unwrap(), b"s3cret");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let directory = path.parent().unwrap();
        assert_eq!(
            fs::metadata(directory).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }

    drop(file);
    assert!(!path.parent().unwrap().exists());
}
