use super::*;

#[test]
fn paths_are_the_same_if_they_lead_to_the_same_file() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("a"), "").unwrap();
    fs::write(at("b"), "").unwrap();
    assert!(is_same_file(&at("a"), &at("./a")));
    assert!(is_same_file(&at("x/../c"), &at("c")));
    assert!(!is_same_file(&at("a"), &at("b")));
    assert!(!is_same_file(&at("c"), &at("d")));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("loop", at("loop")).unwrap();
        assert!(!is_same_file(&at("loop"), &at("a")));
    }
}
