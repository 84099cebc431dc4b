//! For every set of requests, the block allows all of them when it is read as configuration, and nothing else if there
//! is no OpenAPI document.

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::compare::RailsGuard;
use super::*;
use crate::config::{self, AccessRules};

const METHODS: &[&str] = &["GET", "HEAD", "POST", "DELETE", "PATCH"];
const SEGMENTS: &[&str] = &[
    "a", "A", "b", "me", "1", "%62", "x.json", "a%20b", "%C3%BC", "it's", "a\"b", "*",
];

fn joined(segments: &[&str]) -> String {
    segments.iter().flat_map(|segment| ["/", segment]).collect()
}

fn some_request() -> impl Strategy<Value = ObservedRequest> {
    let path = proptest::collection::vec(proptest::sample::select(SEGMENTS), 0..4);
    (path, any::<bool>(), proptest::sample::select(METHODS)).prop_map(
        |(segments, slash, method)| {
            let path = joined(&segments);
            let slash = if slash || path.is_empty() { "/" } else { "" };
            ObservedRequest {
                path: path + slash,
                method: method.to_owned(),
            }
        },
    )
}

fn some_run() -> impl Strategy<Value = ObservedRequests> {
    let status = proptest::sample::select(&[101, 200, 404][..]);
    proptest::collection::vec((some_request(), status), 1..8).prop_map(|requests| {
        let mut observed = ObservedRequests::default();
        for (request, status) in requests {
            let outcomes = observed.requests.entry(request).or_default();
            outcomes.accepted += 1;
            outcomes.asks_upgrade |= status == 101;
            outcomes.statuses.insert(status);
        }
        observed
    })
}

fn some_document() -> impl Strategy<Value = OpenApiDocument> {
    let segment = proptest::sample::select(
        &[
            "a",
            "A",
            "b",
            "me",
            "1",
            "{id}",
            "{name}.json",
            "a b",
            "a*b",
        ][..],
    );
    let path = proptest::collection::vec(segment, 0..4).prop_map(|segments| joined(&segments));
    let methods = proptest::sample::subsequence(&["get", "post", "delete"][..], 0..3);
    proptest::collection::vec((path, methods), 0..8).prop_map(|paths| {
        let paths: serde_json::Map<_, _> = paths
            .into_iter()
            .map(|(path, methods)| {
                let item: serde_json::Map<_, _> = methods
                    .into_iter()
                    .map(|method| (method.to_owned(), json!({})))
                    .collect();
                (
                    if path.is_empty() {
                        "/".to_owned()
                    } else {
                        path
                    },
                    item.into(),
                )
            })
            .collect();
        let root = json!({ "openapi": "3.1.0", "paths": paths });
        OpenApiDocument::parse(root.to_string().as_bytes(), "/openapi.json").unwrap()
    })
}

/// The rails in the block, as the proxy reads them.
fn rails_of(observed: &ObservedRequests, document: Option<&OpenApiDocument>) -> AccessRules {
    let description = RunDescription {
        name: "ci",
        key: Path::new("/run/secrets/ci.key"),
        program: "it",
        requests: observed.accepted_count(),
        document: document.map(|_| "/openapi.json"),
        warnings: &[],
    };
    let block = write_block(&description, &fold(observed, document));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.toml");
    let enough = "upstream.url = \"https://api.example.com\"\n\
                  token = { url = \"https://as.example.com/t\", client_id = \"i\", client_secret = { file = \"s\" } }\n";
    std::fs::write(&file, format!("{enough}{block}")).unwrap();
    let overrides = config::Overrides {
        file: Some(file),
        settings: Vec::new(),
        ..config::Overrides::default()
    };
    match config::load(&overrides, &config::Surroundings::default()) {
        Ok(loaded) => loaded.config.guard.callers[0].rails.clone(),
        Err(problems) => panic!("{problems}\n{block}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_generated_block_allows_every_observed_request(observed in some_run(), document in proptest::option::of(some_document())) {
        let rails = rails_of(&observed, document.as_ref());
        let comparison = compare(&observed, &rails);
        prop_assert_eq!(comparison, Comparison::default());
    }

    #[test]
    fn without_a_document_nothing_else_is_allowed(observed in some_run(), other in some_request()) {
        let has_wide_rule = |request: &ObservedRequest| request.path.contains('*');
        prop_assume!(!observed.requests.keys().any(has_wide_rule));
        let rails = rails_of(&observed, None);
        let method = |method: &str| if method == "HEAD" { "GET" } else { method }.to_owned();
        let read = |request: &ObservedRequest| {
            let path = crate::guard::readable_path(&request.path).map(std::borrow::Cow::into_owned);
            (method(&request.method), path)
        };
        let was_requested = observed.requests.keys().any(|request| read(request) == read(&other));
        prop_assert_eq!(RailsGuard::new(rails).accepts(&other, &RequestOutcomes::default()), was_requested);
    }
}
