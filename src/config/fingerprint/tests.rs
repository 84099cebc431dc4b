use super::*;

#[test]
fn what_can_be_read_is_returned_even_if_other_keys_are_invalid() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.toml");
    let text = "listen = 7\nno_key = 1\n[upstream]\nurl = \"https://API.example.com:443\"\n";
    std::fs::write(&file, text).unwrap();
    let overrides = Overrides {
        file: Some(file.clone()),
        ..Overrides::default()
    };
    let own = fingerprint(&overrides, &Surroundings::default());
    assert_eq!(own.upstream.as_deref(), Some("https://api.example.com"));
    assert_eq!(own.named, file.display().to_string());
    assert!(own.name.is_none() && own.listen.is_none(), "{own:?}");
}
