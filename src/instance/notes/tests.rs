use super::*;

#[test]
fn a_note_is_listed_for_as_long_as_it_is_true() {
    let notes = ConfigNotes::default();
    assert!(notes.lines().is_empty() && !notes.has_pending_change());
    notes.set_rejected(Some("not TOML".to_owned()));
    notes.set_needs_restart(vec!["listen".to_owned(), "name".to_owned()]);
    let lines = notes.lines();
    assert!(lines[0].ends_with("stays in use: not TOML"), "{lines:?}");
    assert!(lines[1].ends_with("restart: listen, name"), "{lines:?}");
    assert!(notes.has_pending_change());
    let why = PendingChange {
        refused: true,
        waiting: false,
        restart: true,
    };
    assert_eq!(notes.pending_change(), why);
    let details = PendingReasons {
        refused: "not TOML".to_owned(),
        waiting: String::new(),
        restart: "listen, name".to_owned(),
    };
    assert_eq!(notes.pending_reasons(), details);
    notes.set_rejected(None);
    notes.set_needs_restart(Vec::new());
    assert!(notes.lines().is_empty() && !notes.has_pending_change());
    notes.set_reloading(true);
    assert!(notes.has_pending_change());
    assert_eq!(notes.pending_change(), PendingChange::default());
}
