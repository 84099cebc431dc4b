use super::*;

#[test]
fn a_file_is_replaced_whole_and_what_a_killed_process_left_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.json");
    assert!(read_private(&path, 100).unwrap().is_none());
    fs::write(directory.path().join(".store.json.new"), "half").unwrap();
    let staged = StagedPrivateFile::create(&path, 64).unwrap();
    staged.place(b"first").unwrap();
    assert_eq!(
        read_private(&path, 100).unwrap().unwrap().as_slice(),
        b"first"
    );
    drop(StagedPrivateFile::create(&path, 64).unwrap());
    assert_eq!(
        read_private(&path, 100).unwrap().unwrap().as_slice(),
        b"first"
    );
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    let long = read_private(&path, 4);
    assert!(matches!(long, Err(PrivateFileError::TooLong { limit: 4 })));
}

#[cfg(unix)]
#[test]
fn what_others_can_read_or_have_put_there_is_not_used() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.json");
    let staged = StagedPrivateFile::create(&path, 0).unwrap();
    staged.place(b"x").unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let link = directory.path().join("link");
    symlink(&path, &link).unwrap();
    let linked = read_private(&link, 100);
    assert!(matches!(linked, Err(PrivateFileError::SymbolicLink)));
    let of_directory = read_private(directory.path(), 100);
    assert!(matches!(of_directory, Err(PrivateFileError::Irregular)));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let exposed = read_private(&path, 100);
    assert!(matches!(exposed, Err(PrivateFileError::Exposed)));
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        let foreign = read_private(&path, 100);
        assert!(matches!(
            foreign,
            Err(PrivateFileError::OfAnother { owner: 65534 })
        ));
    }
    let missing = StagedPrivateFile::create(&directory.path().join("no/store.json"), 0);
    assert!(matches!(
        missing,
        Err(PrivateFileError::Failed {
            what: "written",
            ..
        })
    ));
}

#[cfg(unix)]
#[test]
fn a_directory_in_which_others_can_replace_the_file_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/store.json");
    prepare_directory_of(&path).unwrap();
    let own = path.parent().unwrap();
    let mode = |mode: u32| fs::set_permissions(own, fs::Permissions::from_mode(mode)).unwrap();
    for (bits, is_used) in [
        (0o700, true),
        (0o755, true),
        (0o1777, true),
        (0o777, false),
        (0o770, false),
    ] {
        mode(bits);
        assert_eq!(check_directory_of(&path).is_ok(), is_used, "{bits:o}");
        assert_eq!(prepare_directory_of(&path).is_ok(), is_used, "{bits:o}");
    }
    let remedy = check_directory_of(&path).unwrap_err().remedy(&path);
    assert!(remedy.contains(&format!("chmod go-w {}", own.display())));
    if rustix::process::geteuid().is_root() {
        mode(0o755);
        std::os::unix::fs::chown(own, Some(65534), None).unwrap();
        let foreign = check_directory_of(&path);
        assert!(matches!(
            foreign,
            Err(PrivateFileError::DirectoryOfAnother { owner: 65534, .. })
        ));
    }
}
