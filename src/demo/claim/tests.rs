use std::path::PathBuf;

use super::*;

fn directory(parent: &Path, name: &str) -> PathBuf {
    let path = parent.join(name);
    fs::create_dir(&path).unwrap();
    path
}

/// As a killed process leaves it.
fn left(parent: &Path, name: &str) -> PathBuf {
    let path = directory(parent, name);
    drop(Claim::on(&path).unwrap());
    path
}

#[test]
fn only_what_a_dead_owner_has_left_is_removed() {
    let parent = tempfile::tempdir().unwrap();
    let parent = parent.path();
    let abandoned = left(parent, &new_name());
    fs::write(abandoned.join("client-secret"), "x").unwrap();
    let held = directory(parent, &new_name());
    let claim = Claim::on(&held).unwrap();
    let unclaimed = directory(parent, &new_name());
    let mut kept = vec![
        held,
        unclaimed,
        left(parent, "cupbearer-demo-of-somebody"),
        left(parent, "other"),
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
    drop(claim);
    remove_abandoned(parent);
    assert!(!kept[0].exists(), "its owner is gone by now");
}

#[cfg(unix)]
#[test]
fn what_another_user_has_left_stays() {
    let parent = tempfile::tempdir().unwrap();
    let path = left(parent.path(), &new_name());
    let another = own_user().wrapping_add(1);
    remove_abandoned_of(another, parent.path());
    assert!(path.exists());
}
