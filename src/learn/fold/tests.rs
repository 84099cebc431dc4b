use super::*;

fn document(paths: &serde_json::Value) -> OpenApiDocument {
    let root =
        serde_json::json!({ "openapi": "3.1.0", "servers": [{ "url": "/api" }], "paths": paths });
    OpenApiDocument::parse(root.to_string().as_bytes(), "/openapi.json").unwrap()
}

fn rules(folded: &FoldedRules) -> Vec<&str> {
    folded.allow.iter().map(|one| &*one.rule).collect()
}

fn notes<'f>(folded: &'f FoldedRules, rule: &str) -> Vec<&'f str> {
    let one = folded.allow.iter().find(|one| one.rule == rule);
    one.into_iter()
        .flat_map(|one| &one.notes)
        .map(|note| &**note)
        .collect()
}

#[test]
fn requests_are_grouped_by_the_templates_of_the_document_and_head_counts_as_get() {
    let operations = || serde_json::json!({ "get": {}, "delete": {} });
    let document = document(&serde_json::json!({
        "/certificates": operations(), "/certificates/{id}": operations(), "/files/{name}.json": operations(),
    }));
    let observed = ObservedRequests::of(&[
        ("GET", "/api/certificates", 200),
        ("GET", "/api/certificates/1", 200),
        ("HEAD", "/api/certificates/%32", 200),
        ("DELETE", "/api/certificates/2", 204),
        ("DELETE", "/api/certificates/3", 404),
        ("GET", "/api/files/a.json", 404),
        ("PUT", "/api/nowhere/x", 405),
        ("GET", "/API/certificates", 404),
    ]);
    let folded = fold(&observed, Some(&document));
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
        [MIXED, "every response was an error (404)"]
    );
    assert_eq!(
        notes(&folded, "PUT /api/nowhere/x"),
        [UNDOCUMENTED, "every response was an error (405)"]
    );
    assert!(!folded.read_only);
}

#[test]
fn a_rule_for_get_notes_that_only_head_was_requested() {
    let observed =
        ObservedRequests::of(&[("HEAD", "/a", 200), ("HEAD", "/b", 200), ("GET", "/b", 200)]);
    let folded = fold(&observed, None);
    assert_eq!(rules(&folded), ["GET /a", "GET /b"]);
    assert_eq!(notes(&folded, "GET /a"), [ONLY_HEAD]);
    assert_eq!(notes(&folded, "GET /b"), [""; 0]);
}

#[test]
fn without_a_document_each_rule_has_an_exact_path() {
    let observed = ObservedRequests::of(&[
        ("GET", "/", 200),
        ("GET", "/a/1", 200),
        ("GET", "/a/2/", 200),
        ("GET", "/b%20c/d", 200),
        ("GET", "/b*c/d", 200),
    ]);
    let folded = fold(&observed, None);
    assert_eq!(
        rules(&folded),
        ["GET /", "GET /*/d", "GET /a/1", "GET /a/2/", "GET /b c/d"]
    );
    assert_eq!(notes(&folded, "GET /*/d"), [WIDER]);
    assert_eq!(notes(&folded, "GET /a/1"), [""; 0]);
}

#[test]
fn an_operation_beside_a_parameter_is_denied_unless_it_was_requested() {
    let document = document(&serde_json::json!({
        "/users/{id}": { "get": {}, "delete": {} }, "/users/me": { "get": {} }, "/users/all": { "delete": {} },
        "/users/export": { "get": {} }, "/users/{id}/keys": { "get": {} },
    }));
    let asked = |more: &[(&str, &str, u16)]| {
        fold(
            &ObservedRequests::of(
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
    // A user with this name: deny ignores case.
    assert_eq!(asked(&[("GET", "/api/users/Export", 200)]).deny, [""; 0]);
}

/// Templates that end in a slash make rules that do.
#[test]
fn a_denied_sibling_with_a_slash_at_the_end_is_rejected_with_and_without_it() {
    let document = document(&serde_json::json!({
        "/{kind}/{id}/": { "delete": {} }, "/admins/{id}/": { "delete": {} },
    }));
    let observed = ObservedRequests::of(&[("DELETE", "/api/users/1/", 204)]);
    let folded = fold(&observed, Some(&document));
    assert_eq!(rules(&folded), ["DELETE /api/*/*/"]);
    assert_eq!(folded.deny, ["DELETE /api/admins/*/"]);
    let guard = RailsGuard::new(AccessRules {
        deny: vec![Rule::parse(&folded.deny[0]).unwrap()],
        ..AccessRules::default()
    });
    for (path, expected) in [
        ("/api/admins/7/", false),
        ("/api/admins/7", false),
        ("/api/users/7/", true),
    ] {
        let request = ObservedRequest {
            path: path.to_owned(),
            method: "DELETE".to_owned(),
        };
        let accepts = guard.accepts(&request, &RequestOutcomes::default());
        assert_eq!(accepts, expected, "{path}");
    }
}

#[test]
fn a_sibling_of_a_segment_that_had_to_be_widened_is_denied_too() {
    let document = document(&serde_json::json!({
        "/a*b/{x}": { "get": {} }, "/secrets/{x}": { "get": {} }, "/users/{id}": { "get": {} },
    }));
    let observed = ObservedRequests::of(&[("GET", "/api/a*b/1", 200)]);
    let folded = fold(&observed, Some(&document));
    assert_eq!(rules(&folded), ["GET /api/*/*"]);
    assert_eq!(folded.deny, ["GET /api/secrets/*", "GET /api/users/*"]);
}

#[test]
fn a_sibling_is_denied_whatever_the_wide_rule_was_made_of_and_even_if_it_only_has_head() {
    let document = document(&serde_json::json!({
        "/files/export": { "get": {} }, "/files/import": { "post": {} },
        "/u/{id}": { "get": {} }, "/u/all": { "head": {} }, "/u/{id}.csv": { "get": {} },
    }));
    let undocumented = ObservedRequests::of(&[("GET", "/api/files/a*b", 200)]);
    let folded = fold(&undocumented, Some(&document));
    assert_eq!(rules(&folded), ["GET /api/files/*"]);
    assert_eq!(folded.deny, ["GET /api/files/export"]);
    let of_template = ObservedRequests::of(&[("GET", "/api/u/1", 200)]);
    let folded = fold(&of_template, Some(&document));
    assert_eq!(folded.deny, ["GET /api/u/all"]);
}

#[test]
fn a_run_that_only_read_is_read_only_unless_a_request_was_upgraded() {
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
            fold(&ObservedRequests::of(requests), None).read_only,
            expected,
            "{requests:?}"
        );
    }
}

#[test]
fn requests_that_no_rule_can_express_are_listed_separately() {
    let observed = ObservedRequests::of(&[("*", "/a", 501)]);
    let folded = fold(&observed, None);
    assert_eq!(rules(&folded), [""; 0]);
    assert_eq!(
        folded.inexpressible.len(),
        1,
        "a rule would admit any method"
    );
    // This was not the path: a part of it is not recorded.
    let observed = ObservedRequests::of(&[("GET", "/users/...@example.com", 200)]);
    let folded = fold(&observed, None);
    assert_eq!(rules(&folded), [""; 0]);
    assert_eq!(folded.inexpressible.len(), 1);

    let mut observed = ObservedRequests::of(&[("BREW", "/pot", 418), ("GET", "/a", 200)]);
    let refused = ObservedRequest {
        path: "/a%2Fb".to_owned(),
        method: "GET".to_owned(),
    };
    observed.requests.insert(
        refused.clone(),
        RequestOutcomes {
            rejected: 1,
            ..RequestOutcomes::default()
        },
    );
    let folded = fold(&observed, None);
    assert_eq!(rules(&folded), ["GET /a"]);
    assert_eq!(
        folded.inexpressible,
        [ObservedRequest {
            path: "/pot".to_owned(),
            method: "BREW".to_owned()
        }]
    );
    assert_eq!(folded.rejected, [refused]);
}
