use super::*;

#[tokio::test(start_paused = true)]
async fn a_note_is_due_at_once_and_then_once_an_hour() {
    let note = HourlyNote::default();
    assert!(note.is_due());
    for minutes in [0, 1, 58] {
        tokio::time::advance(Duration::from_mins(minutes)).await;
        assert!(!note.is_due(), "{minutes}");
    }
    tokio::time::advance(Duration::from_mins(1)).await;
    assert!(note.is_due());
    assert!(!note.is_due());
}
