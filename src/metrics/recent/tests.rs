use super::*;
use crate::metrics::RequestDetails;

fn recorded(count: usize) -> Journal {
    let mut journal = Journal::default();
    for number in 0..count {
        journal.record(&FinishedRequest {
            method: &Method::GET,
            path: &format!("/{number}"),
            status: Some(200),
            reason: None,
            caller: None,
            request_id: "i",
            ended: Instant::now(),
            total: Duration::ZERO,
            upstream_head: None,
            details: RequestDetails::default(),
        });
    }
    journal
}

fn paths(newer: &NewerRequests) -> Vec<&str> {
    newer.entries.iter().map(JournalEntry::path).collect()
}

#[test]
fn each_look_gets_what_is_new_and_the_number_of_what_it_missed() {
    let journal = recorded(KEPT + 3);
    let total = (KEPT + 3) as u64;

    let newer = journal.newer_than(total - 2, 10);
    assert_eq!(
        paths(&newer),
        [format!("/{}", KEPT + 1), format!("/{}", KEPT + 2)]
    );
    assert_eq!((newer.recorded, newer.omitted), (total, 0));

    let newer = journal.newer_than(total - 5, 1);
    assert_eq!(paths(&newer), [format!("/{}", KEPT + 2)]);
    assert_eq!(newer.omitted, 4);

    let newer = journal.newer_than(0, usize::MAX);
    assert_eq!((newer.entries.len(), newer.omitted), (KEPT, 3));
    assert_eq!(newer.entries[0].path(), "/3");

    let newer = journal.newer_than(total, 10);
    assert_eq!((newer.entries.len(), newer.omitted), (0, 0));
}

#[test]
fn a_long_path_is_cut_between_characters_and_says_so() {
    let mut journal = Journal::default();
    let path = format!("/{}\u{e9}", "a".repeat(PATH_BYTES - 2));
    let request = FinishedRequest {
        method: &Method::GET,
        path: &path,
        status: None,
        reason: None,
        caller: None,
        request_id: "i",
        ended: Instant::now(),
        total: Duration::ZERO,
        upstream_head: None,
        details: RequestDetails {
            error: Some(&"\u{20ac}".repeat(ERROR_BYTES)),
            ..RequestDetails::default()
        },
    };
    journal.record(&request);
    let entry = &journal.newer_than(0, 1).entries[0];
    assert_eq!(entry.path().len(), PATH_BYTES - 1);
    assert!(entry.path_is_cut());
    assert_eq!(entry.error().unwrap().len(), ERROR_BYTES);
}
