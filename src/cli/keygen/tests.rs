use super::*;

fn args(out: &Path) -> KeygenArgs {
    KeygenArgs {
        out: Some(out.to_owned()),
        algorithm: SigningAlgorithm::Es256,
        caller: None,
    }
}

#[test]
fn the_key_of_a_caller_is_one_line_in_a_file_and_the_advice_is_configuration_without_the_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ci.key");
    let caller = KeygenArgs {
        caller: Some("ci".to_owned()),
        ..args(&path)
    };

    assert_eq!(caller.create(&UnfinishedKey::default()), Exit::Fine);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("cbk_") && text.ends_with('\n'), "{text}");
    assert_eq!(guard::parse_keys(text.as_bytes()).unwrap().len(), 1);
    assert_eq!(caller.create(&UnfinishedKey::default()), Exit::Failed);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);

    let advice = caller_advice("ci", Some(&path));
    assert!(!advice.contains(text.trim_end()));
    let (_, block) = advice.split_once("\n\n").unwrap();
    let (block, _) = block.rsplit_once("\n\n").unwrap();
    let block: toml::Value = toml::from_str(block).unwrap();
    let file = &block["guard"]["callers"]["ci"]["key"]["file"];
    assert_eq!(file.as_str(), path.to_str());
}

#[test]
fn the_name_of_a_caller_must_be_one_that_can_be_configured() {
    assert!(caller_name("ci-2").is_ok());
    for name in ["", "CI", "a.b", "a b"] {
        assert!(caller_name(name).is_err(), "{name}");
    }
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");

    assert_eq!(args(&path).create(&UnfinishedKey::default()), Exit::Fine);
    let first = std::fs::read_to_string(&path).unwrap();
    assert!(first.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert_eq!(args(&path).create(&UnfinishedKey::default()), Exit::Failed);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
}

#[cfg(unix)]
#[test]
fn the_file_has_mode_600_and_a_symbolic_link_is_not_followed() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    assert_eq!(args(&path).create(&UnfinishedKey::default()), Exit::Fine);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let link = directory.path().join("link");
    std::os::unix::fs::symlink(directory.path().join("elsewhere"), &link).unwrap();
    assert_eq!(args(&link).create(&UnfinishedKey::default()), Exit::Failed);
    assert!(!directory.path().join("elsewhere").exists());
}

#[test]
fn the_lines_for_the_configuration_are_toml_for_every_path() {
    let key = generate_key(Algorithm::Es256).unwrap();
    for path in [
        "/a b/k.pem",
        "/\"quoted\"/k.pem",
        "/back\\slash/k.pem",
        "k\u{1b}.pem",
    ] {
        let advice = key_pair_advice(Path::new(path), Algorithm::Rs384, &key);
        let (_, block) = advice.split_once("\n\n").unwrap();
        let (block, _) = block.rsplit_once("\n\n").unwrap();
        let table: toml::Table = toml::from_str(block).unwrap();
        let file = table["token"]["private_key"]["file"].as_str().unwrap();
        assert_eq!(Path::new(file), absolute(Path::new(path)), "{advice}");
        assert_eq!(table["token"]["algorithm"].as_str(), Some("RS384"));

        let advice = caller_advice("ci", Some(Path::new(path)));
        let (_, block) = advice.split_once("\n\n").unwrap();
        let (block, _) = block.rsplit_once("\n\n").unwrap();
        let table: toml::Table = toml::from_str(block).unwrap();
        let file = table["guard"]["callers"]["ci"]["key"]["file"].as_str();
        assert_eq!(
            file.map(Path::new),
            Some(&*absolute(Path::new(path))),
            "{advice}"
        );
    }
}

#[test]
fn a_key_in_a_missing_folder_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missing").join("key.pem");
    assert_eq!(args(&path).create(&UnfinishedKey::default()), Exit::Failed);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn the_output_contains_nothing_of_the_private_key() {
    let key = generate_key(Algorithm::Es256).unwrap();
    let text = format!(
        "{:#}{}",
        key.public,
        key_pair_advice(Path::new("k"), Algorithm::Es256, &key)
    );
    assert!(!text.contains("\"d\"") && !text.contains("BEGIN"), "{text}");
    assert!(text.contains(&key.id));
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_no_configuration_could_name_is_not_written() {
    use std::os::unix::ffi::OsStrExt as _;
    let directory = tempfile::tempdir().unwrap();
    let out = directory
        .path()
        .join(std::ffi::OsStr::from_bytes(b"\xff.key"));
    let problem = create_caller_key("ci", Some(&out)).unwrap_err();
    assert!(problem.contains("is not UTF-8"), "{problem}");
    assert!(!out.exists());
}
