use super::*;

fn wanted(out: &Path) -> Keygen {
    Keygen {
        out: Some(out.to_owned()),
        algorithm: Signing::Es256,
        caller: None,
    }
}

#[test]
fn a_callers_key_is_one_line_in_a_file_and_the_advice_is_configuration_without_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ci.key");
    let caller = Keygen {
        caller: Some("ci".to_owned()),
        ..wanted(&path)
    };

    assert_eq!(keygen(&caller), Exit::Fine);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("cbk_") && text.ends_with('\n'), "{text}");
    assert_eq!(guard::keys_in(text.as_bytes()).unwrap().len(), 1);
    assert_eq!(keygen(&caller), Exit::Failed);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);

    let advice = advice_for_caller("ci", Some(&path));
    assert!(!advice.contains(text.trim_end()));
    let (_, block) = advice.split_once("\n\n").unwrap();
    let (block, _) = block.rsplit_once("\n\n").unwrap();
    let block: toml::Value = toml::from_str(block).unwrap();
    let file = &block["guard"]["callers"]["ci"]["key"]["file"];
    assert_eq!(file.as_str(), path.to_str());
}

#[test]
fn a_caller_has_a_name_that_can_be_configured() {
    assert!(caller_name("ci-2").is_ok());
    for name in ["", "CI", "a.b", "a b"] {
        assert!(caller_name(name).is_err(), "{name}");
    }
}

#[test]
fn a_key_is_written_once_for_its_owner_only_and_never_over_anything() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");

    assert_eq!(keygen(&wanted(&path)), Exit::Fine);
    let first = std::fs::read_to_string(&path).unwrap();
    assert!(first.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert_eq!(keygen(&wanted(&path)), Exit::Failed);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
}

#[cfg(unix)]
#[test]
fn the_file_has_mode_600_and_a_link_is_not_followed() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    assert_eq!(keygen(&wanted(&path)), Exit::Fine);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let link = directory.path().join("link");
    std::os::unix::fs::symlink(directory.path().join("elsewhere"), &link).unwrap();
    assert_eq!(keygen(&wanted(&link)), Exit::Failed);
    assert!(!directory.path().join("elsewhere").exists());
}

#[test]
fn what_is_printed_holds_no_private_part() {
    let key = new_key(Algorithm::Es256).unwrap();
    let text = format!(
        "{:#}{}",
        key.public,
        advice(Path::new("k"), Algorithm::Es256, &key)
    );
    assert!(!text.contains("\"d\"") && !text.contains("BEGIN"), "{text}");
    assert!(text.contains(&key.id));
}
