use super::*;

fn document(paths: &serde_json::Value) -> Document {
    let root =
        serde_json::json!({ "openapi": "3.1.0", "servers": [{ "url": "/api" }], "paths": paths });
    Document::parse(root.to_string().as_bytes(), "/openapi.json").unwrap()
}

fn rules(folded: &Folded) -> Vec<&str> {
    folded.allow.iter().map(|one| &*one.rule).collect()
}

fn notes<'f>(folded: &'f Folded, rule: &str) -> Vec<&'f str> {
    let one = folded.allow.iter().find(|one| one.rule == rule);
    one.into_iter()
        .flat_map(|one| &one.notes)
        .map(|note| &**note)
        .collect()
}

#[test]
fn paths_fold_to_the_documents_templates_and_head_goes_with_get() {
    let operations = || serde_json::json!({ "get": {}, "delete": {} });
    let document = document(&serde_json::json!({
        "/certificates": operations(), "/certificates/{id}": operations(), "/files/{name}.json": operations(),
    }));
    let seen = Seen::of(&[
        ("GET", "/api/certificates", 200),
        ("GET", "/api/certificates/1", 200),
        ("HEAD", "/api/certificates/%32", 200),
        ("DELETE", "/api/certificates/2", 204),
        ("DELETE", "/api/certificates/3", 404),
        ("GET", "/api/files/a.json", 404),
        ("PUT", "/api/nowhere/x", 405),
        ("GET", "/API/certificates", 404),
    ]);
    let folded = fold(&seen, Some(&document));
    assert_eq!(
        rules(&folded),
        [
            "GET /API/certificates",
            "GET /api/certificates",
            "DELETE /api/certificates/*",
            "GET /api/certificates/*",
            "GET /api/files/*",
            "PUT /api/nowhere/x",
        ]
    );
    assert_eq!(notes(&folded, "DELETE /api/certificates/*"), [""; 0]);
    assert_eq!(
        notes(&folded, "GET /api/files/*"),
        [MIXED, "only ever answered 404"]
    );
    assert_eq!(
        notes(&folded, "PUT /api/nowhere/x"),
        [UNKNOWN, "only ever answered 405"]
    );
    assert!(!folded.read_only);
}

#[test]
fn a_rule_for_get_says_where_only_head_was_asked_for() {
    let seen = Seen::of(&[("HEAD", "/a", 200), ("HEAD", "/b", 200), ("GET", "/b", 200)]);
    let folded = fold(&seen, None);
    assert_eq!(rules(&folded), ["GET /a", "GET /b"]);
    assert_eq!(notes(&folded, "GET /a"), [ONLY_HEAD]);
    assert_eq!(notes(&folded, "GET /b"), [""; 0]);
}

#[test]
fn without_a_document_each_path_stands_for_itself() {
    let seen = Seen::of(&[
        ("GET", "/", 200),
        ("GET", "/a/1", 200),
        ("GET", "/a/2/", 200),
        ("GET", "/b%20c/d", 200),
    ]);
    let folded = fold(&seen, None);
    assert_eq!(
        rules(&folded),
        ["GET /", "GET /*/d", "GET /a/1", "GET /a/2/"]
    );
    assert_eq!(notes(&folded, "GET /*/d"), [WIDER]);
    assert_eq!(notes(&folded, "GET /a/1"), [""; 0]);
}

#[test]
fn what_is_written_beside_a_parameter_is_denied_unless_it_was_asked_for() {
    let document = document(&serde_json::json!({
        "/users/{id}": { "get": {}, "delete": {} }, "/users/me": { "get": {} }, "/users/all": { "delete": {} },
        "/users/export": { "get": {} }, "/users/{id}/keys": { "get": {} },
    }));
    let asked = |more: &[(&str, &str, u16)]| {
        fold(
            &Seen::of(
                &[
                    &[("GET", "/api/users/1", 200), ("GET", "/api/users/me", 200)],
                    more,
                ]
                .concat(),
            ),
            Some(&document),
        )
    };
    assert_eq!(asked(&[]).deny, ["GET /api/users/export"]);
    assert_eq!(
        asked(&[("DELETE", "/api/users/1", 204)]).deny,
        ["DELETE /api/users/all", "GET /api/users/export"]
    );
    // Somebody of that name: deny knows no case.
    assert_eq!(asked(&[("GET", "/api/users/Export", 200)]).deny, [""; 0]);
}

#[test]
fn a_run_that_only_read_is_read_only_unless_something_was_upgraded() {
    for (requests, expected) in [
        (
            &[
                ("GET", "/a", 200),
                ("HEAD", "/a", 200),
                ("OPTIONS", "/a", 200),
            ][..],
            true,
        ),
        (&[("GET", "/a", 101)], false),
        (&[("GET", "/a", 200), ("POST", "/a", 200)], false),
        (&[], false),
    ] {
        assert_eq!(
            fold(&Seen::of(requests), None).read_only,
            expected,
            "{requests:?}"
        );
    }
}

#[test]
fn what_no_rule_can_say_is_told_apart() {
    let mut seen = Seen::of(&[("BREW", "/pot", 418), ("GET", "/a", 200)]);
    let refused = Request {
        path: "/a%2Fb".to_owned(),
        method: "GET".to_owned(),
    };
    seen.requests.insert(
        refused.clone(),
        Times {
            refused: 1,
            ..Times::default()
        },
    );
    let folded = fold(&seen, None);
    assert_eq!(rules(&folded), ["GET /a"]);
    assert_eq!(
        folded.unwritable,
        [Request {
            path: "/pot".to_owned(),
            method: "BREW".to_owned()
        }]
    );
    assert_eq!(folded.refused, [refused]);
}
