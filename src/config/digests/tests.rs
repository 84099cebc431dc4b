use super::super::{Overrides, Surroundings, load};
use super::*;

const ENOUGH: &str = "upstream.url = \"http://localhost:1\"\ntoken.url = \"http://localhost:2\"\n\
                      token.client_id = \"i\"\n";

fn digests(more: &str) -> KeyDigests {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.toml");
    std::fs::write(&file, format!("{ENOUGH}{more}")).unwrap();
    let overrides = Overrides {
        file: Some(file),
        ..Overrides::default()
    };
    load(&overrides, &Surroundings::default())
        .unwrap_or_else(|problems| panic!("{problems}"))
        .digests
}

const SECRET: &str = "token.client_secret.file = \"/a\"\n";

#[test]
fn every_changed_key_is_named_and_a_default_that_is_written_out_is_not_a_change() {
    let before = digests(SECRET);
    for (more, changed) in [
        ("drain = \"10s\"", &[] as &[&str]),
        ("drain = \"11s\"", &["drain"]),
        ("guard.deny = [\"* /x\"]", &["guard.deny"]),
        (
            "guard.callers.ci.uid = 7",
            &["guard.callers.ci", "guard.callers.ci.uid"],
        ),
    ] {
        let now = digests(&format!("{SECRET}{more}\n"));
        assert_eq!(now.changed_from(&before), changed, "{more}");
        assert_eq!(before.changed_from(&now), changed, "{more}");
    }
    let elsewhere = digests("token.client_secret.file = \"/b\"\n");
    assert_eq!(elsewhere.changed_from(&before), ["token.client_secret"]);
}

#[test]
fn changed_content_of_a_named_file_is_a_change_of_its_key() {
    let (mut now, mut before) = (digests(SECRET), digests(SECRET));
    now.note_content("network.ca_file", b"old");
    before.note_content("network.ca_file", b"old");
    assert_eq!(now, before);
    let mut next = digests(SECRET);
    next.note_content("network.ca_file", b"new");
    assert_eq!(next.changed_from(&before), ["network.ca_file"]);
    next.take_over("network.ca_file", &before);
    assert_eq!(next, before);
}
