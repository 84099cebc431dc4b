use serde_json::json;

use super::super::record::ObservedRequest;
use super::*;

fn document(root: &Value, at: &str) -> OpenApiDocument {
    OpenApiDocument::parse(root.to_string().as_bytes(), at).unwrap()
}

fn shown(template: &PathTemplate) -> String {
    let segments = template.segments.iter().map(|segment| match segment {
        TemplateSegment::Text(text) => format!("/{text}"),
        TemplateSegment::Mixed { before, after } => format!("/{before}{{}}{after}"),
        TemplateSegment::Parameter => "/{}".to_owned(),
    });
    segments.collect()
}

#[test]
fn literal_text_takes_precedence_over_parameters_from_the_left() {
    let get = || json!({ "get": {} });
    let document = document(
        &json!({ "openapi": "3.1.0", "paths": {
            "/a/{id}": get(), "/a/mine": get(), "/a/{id}.json": get(), "/{x}/mine/all": get(), "/a/{y}/all": get(), "/": get(),
        }}),
        "/openapi.json",
    );
    for (path, expected) in [
        ("/a/1", Some("/a/{}")),
        ("/a/mine", Some("/a/mine")),
        ("/a/b.json", Some("/a/{}.json")),
        ("/a/.json", Some("/a/{}")),
        ("/a/mine/all", Some("/a/{}/all")),
        ("/b/mine/all", Some("/{}/mine/all")),
        ("/", Some("/")),
        ("/a", None),
        ("/a/", None),
        ("/A/1", None),
        ("/a/1/2", None),
    ] {
        let found = document.template_of(path).map(shown);
        assert_eq!(found.as_deref(), expected, "{path}");
    }
}

#[test]
fn literal_text_may_be_percent_encoded_in_the_document() {
    let get = || json!({ "get": {} });
    let document = document(
        &json!({ "openapi": "3.1.0", "paths": {
            "/u/{id}": get(), "/u/%65xport": get(), "/u/d%20e": get(), "/u/{id}%2Ejson": get(), "/u/a%2Fb": get(),
        }}),
        "/openapi.json",
    );
    for (path, expected) in [
        ("/u/export", "/u/export"),
        ("/u/d e", "/u/d e"),
        ("/u/1.json", "/u/{}.json"),
        ("/u/1", "/u/{}"),
    ] {
        let found = document.template_of(path).map(shown);
        assert_eq!(found.as_deref(), Some(expected), "{path}");
    }
    assert!(document.template_of("/u/a/b").is_none());
}

#[test]
fn the_base_path_comes_from_servers_or_base_path() {
    let paths = |item: Value| json!({ "/x": item });
    let get = || json!({ "get": {} });
    for (root, at, expected) in [
        (json!({ "openapi": "3.0.0" }), "/openapi.json", vec!["/x"]),
        (
            json!({ "openapi": "3.0.0", "servers": [{ "url": "/" }] }),
            "/o",
            vec!["/x"],
        ),
        (
            json!({ "openapi": "3.0.0", "servers": [{ "url": "/api/v1/" }] }),
            "/o",
            vec!["/api/v1/x"],
        ),
        (
            json!({ "openapi": "3.0.0", "servers": [{ "url": "https://a.example/b%20c" }] }),
            "/o",
            vec!["/b c/x"],
        ),
        (
            json!({ "openapi": "3.0.0", "servers": [{ "url": "./v2" }] }),
            "/api/o.json",
            vec!["/api/v2/x"],
        ),
        (
            json!({ "openapi": "3.0.0", "servers": [{ "url": "/{v}", "variables": { "v": { "default": "v3" } } }, { "url": "/{open}" }] }),
            "/o",
            vec!["/v3/x", "/{}/x"],
        ),
        (
            json!({ "swagger": "2.0", "basePath": "/v2" }),
            "/o",
            vec!["/v2/x"],
        ),
        (json!({ "swagger": "2.0" }), "/o", vec!["/x"]),
    ] {
        let mut root = root;
        root["paths"] = paths(get());
        let found: Vec<_> = document(&root, at).templates().iter().map(shown).collect();
        assert_eq!(found, expected, "{root}");
    }
}

#[test]
fn servers_of_a_path_or_an_operation_replace_those_of_the_document() {
    let root = json!({ "openapi": "3.0.0", "servers": [{ "url": "/root" }], "paths": { "/x": {
        "servers": [{ "url": "/item" }], "summary": "not a method",
        "get": {}, "post": { "servers": [{ "url": "/own" }] },
    }}});
    let document = document(&root, "/o");
    let found: Vec<_> = document
        .templates()
        .iter()
        .map(|one| (shown(one), one.methods.clone()))
        .collect();
    let set = |method: &str| BTreeSet::from([method.to_owned()]);
    assert_eq!(
        found,
        [
            ("/item/x".to_owned(), set("GET")),
            ("/own/x".to_owned(), set("POST"))
        ]
    );
}

#[test]
fn anything_else_is_rejected_with_the_reason() {
    for (text, expected) in [
        ("openapi: 3.0.0", OpenApiError::NotJson),
        ("<html>", OpenApiError::NotJson),
        ("[]", OpenApiError::NotOpenApi),
        ("{\"openapi\":\"3.0.0\"}", OpenApiError::NotOpenApi),
        ("{\"paths\":{}}", OpenApiError::NotOpenApi),
    ] {
        assert_eq!(
            OpenApiDocument::parse(text.as_bytes(), "/").err(),
            Some(expected),
            "{text}"
        );
    }
}

#[test]
fn a_document_is_looked_for_near_the_requested_paths() {
    let patterns: Vec<PathPattern> = ["/**/openapi.json", "/docs/api.json", "/*/x.json"]
        .iter()
        .filter_map(|text| PathPattern::parse(text).ok())
        .collect();
    let mut observed = ObservedRequests::default();
    for path in [
        "/api/v1/certificates/1",
        "/api/v1/hostnames",
        "/b/openapi.json",
    ] {
        let request = ObservedRequest {
            path: path.to_owned(),
            method: "GET".to_owned(),
        };
        observed.requests.entry(request).or_default().accepted = 1;
    }
    assert_eq!(
        candidate_paths(&patterns, &observed),
        [
            "/b/openapi.json",
            "/openapi.json",
            "/docs/api.json",
            "/api/openapi.json",
            "/api/v1/openapi.json",
            "/api/v1/certificates/openapi.json",
            "/v3/openapi.json",
            "/v2/openapi.json",
        ]
    );
}
