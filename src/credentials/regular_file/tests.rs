use super::*;

#[test]
fn a_directory_a_missing_file_and_a_file_that_is_too_long_have_errors_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let long = directory.path().join("long");
    std::fs::write(&long, [b'x'; 11]).unwrap();

    assert!(matches!(
        read_regular(directory.path(), 10),
        Err(FileError::Directory)
    ));
    assert!(matches!(
        read_regular(&directory.path().join("no"), 10),
        Err(FileError::Missing)
    ));
    assert!(matches!(
        read_regular(&long, 10),
        Err(FileError::TooLong { limit: 10 })
    ));
    assert_eq!(read_regular(&long, 11).unwrap().len(), 11);
}

#[cfg(unix)]
#[test]
fn a_fifo_is_an_error_and_does_not_block_while_a_symbolic_link_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    let made = std::process::Command::new("mkfifo")
        .arg(&fifo)
        .status()
        .unwrap();
    assert!(made.success());
    let file = directory.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();

    assert!(matches!(read_regular(&fifo, 10), Err(FileError::Irregular)));
    assert_eq!(read_regular(&link, 10).unwrap().as_slice(), b"x");
}

#[cfg(unix)]
#[test]
fn a_file_that_another_group_can_read_is_a_warning_that_names_the_group() {
    use std::os::unix::fs::PermissionsExt as _;
    if !rustix::process::geteuid().is_root() {
        return; // only root can give a file to any group
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let with_mode = |mode: u32, group: u32| {
        std::os::unix::fs::chown(&file, None, Some(group)).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        other_readers(&file)
    };
    let own = rustix::process::getegid().as_raw();
    assert_eq!(with_mode(0o640, own), None);
    assert_eq!(with_mode(0o600, 4242), None);
    assert_eq!(with_mode(0o640, 4242).as_deref(), Some("the group 4242"));
}
