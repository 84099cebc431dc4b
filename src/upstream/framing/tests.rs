use super::*;

fn judged(status: u16, fields: &[(&'static str, &'static str)], asked: bool) -> bool {
    let builder = fields.iter().fold(
        Response::builder().status(status),
        |builder, (name, value)| builder.header(*name, *value),
    );
    check(&builder.body(()).unwrap(), asked).is_ok()
}

#[test]
fn one_length_or_chunked_or_nothing_is_all_that_passes() {
    assert!(judged(200, &[], false));
    assert!(judged(200, &[("content-length", "0012")], false));
    assert!(judged(200, &[("transfer-encoding", "Chunked")], false));
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
        assert!(!judged(200, fields, false), "{fields:?}");
    }
}

#[test]
fn a_101_passes_only_where_an_upgrade_was_asked_for() {
    assert!(judged(101, &[("upgrade", "websocket")], true));
    assert!(!judged(101, &[("upgrade", "websocket")], false));
}
