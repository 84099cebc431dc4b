use std::path::PathBuf;

use super::*;

fn directory(parent: &Path, name: &str) -> PathBuf {
    let path = parent.join(name);
    fs::create_dir(&path).unwrap();
    path
}

/// A directory as a killed demo leaves it.
fn abandoned_directory(parent: &Path, name: &str) -> PathBuf {
    let path = directory(parent, name);
    drop(DirLock::acquire(&path).unwrap());
    path
}

#[test]
fn only_directories_whose_demo_has_ended_are_removed() {
    let parent = tempfile::tempdir().unwrap();
    let parent = parent.path();
    let abandoned = abandoned_directory(parent, &new_name());
    fs::write(abandoned.join("client-secret"), "x").unwrap();
    let held = directory(parent, &new_name());
    let lock = DirLock::acquire(&held).unwrap();
    let unlocked = directory(parent, &new_name());
    let mut kept = vec![
        held,
        unlocked,
        abandoned_directory(parent, "cupbearer-demo-of-somebody"),
        abandoned_directory(parent, "other"),
    ];
    #[cfg(unix)]
    {
        let link = parent.join(new_name());
        std::os::unix::fs::symlink(&kept[3], &link).unwrap();
        kept.push(link);
    }

    remove_abandoned(parent);
    assert!(!abandoned.exists());
    for path in &kept {
        assert!(path.exists(), "{}", path.display());
    }
    drop(lock);
    remove_abandoned(parent);
    assert!(!kept[0].exists(), "its lock has been released");
}

#[cfg(unix)]
#[test]
fn directories_of_another_user_are_kept() {
    let parent = tempfile::tempdir().unwrap();
    let path = abandoned_directory(parent.path(), &new_name());
    let another = own_user().wrapping_add(1);
    remove_abandoned_of(another, parent.path());
    assert!(path.exists());
}
