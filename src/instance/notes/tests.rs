use super::*;

#[test]
fn a_note_is_there_as_long_as_it_is_true() {
    let notes = Notes::default();
    assert!(notes.lines().is_empty() && !notes.has_pending_change());
    notes.refused(Some("no TOML".to_owned()));
    notes.restart(vec!["listen".to_owned(), "name".to_owned()]);
    let lines = notes.lines();
    assert!(lines[0].ends_with("stays: no TOML"), "{lines:?}");
    assert!(lines[1].ends_with("restart: listen, name"), "{lines:?}");
    assert!(notes.has_pending_change());
    notes.refused(None);
    notes.restart(Vec::new());
    assert!(notes.lines().is_empty() && !notes.has_pending_change());
}
