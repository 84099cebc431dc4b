use super::*;

fn is_accepted(
    status: u16,
    fields: &[(&'static str, &'static str)],
    upgrade_requested: bool,
) -> bool {
    let builder = fields.iter().fold(
        Response::builder().status(status),
        |builder, (name, value)| builder.header(*name, *value),
    );
    check(&builder.body(()).unwrap(), upgrade_requested).is_ok()
}

#[test]
fn only_one_length_or_chunked_or_neither_is_accepted() {
    assert!(is_accepted(200, &[], false));
    assert!(is_accepted(200, &[("content-length", "0012")], false));
    assert!(is_accepted(200, &[("transfer-encoding", "Chunked")], false));
    for fields in [
        &[("content-length", "1"), ("content-length", "1")][..],
        &[("content-length", "1, 1")],
        &[("content-length", "1"), ("transfer-encoding", "chunked")],
        &[
            ("transfer-encoding", "chunked"),
            ("transfer-encoding", "chunked"),
        ],
        &[("transfer-encoding", "gzip, chunked")],
        &[("transfer-encoding", "")],
    ] {
        assert!(!is_accepted(200, fields, false), "{fields:?}");
    }
}

#[test]
fn a_101_is_accepted_only_if_an_upgrade_was_requested() {
    assert!(is_accepted(101, &[("upgrade", "websocket")], true));
    assert!(!is_accepted(101, &[("upgrade", "websocket")], false));
}
