use http::uri::{Authority, Scheme as UriScheme};

use crate::config;
use crate::guard::OwnScheme;
use crate::proxy::origin_ref::{ClientAddress, OriginRef};
use crate::proxy::rewrite::changes::DocumentChanges;
use crate::proxy::rewrite::document::rewritten;

const REMOVED: DocumentChanges = DocumentChanges {
    removes_security: true,
    ..DocumentChanges::NONE
};

fn changed(document: &str, changes: &DocumentChanges) -> Option<String> {
    let api = config::Origin {
        scheme: UriScheme::HTTPS,
        authority: Authority::from_static("api.example.com"),
    };
    let upstream = OriginRef::of_upstream(&api);
    let client = ClientAddress {
        scheme: OwnScheme::Http,
        authority: "localhost:6749".to_owned(),
    };
    let new = rewritten(document.as_bytes(), upstream, &client, changes)?;
    Some(String::from_utf8(new).unwrap())
}

fn without_security(document: &str) -> Option<String> {
    changed(document, &REMOVED)
}

/// A document with these schemes and this requirement of one operation.
fn with(schemes: &str, security: &str) -> String {
    format!(
        r#"{{"openapi": "3.1.0", "paths": {{"/a": {{"get": {{"security": {security} , "x": 1.0e2}}}}}},
  "components": {{"schemas": {{}}, "securitySchemes": {schemes} }}}}"#
    )
}

const BEARER: &str = r#"{"type": "http", "scheme": "Bearer"}"#;
const OTHER: &str = r#"{"type": "apiKey", "in": "header", "name": "X-Key"}"#;

#[test]
fn a_requirement_that_the_token_satisfies_becomes_an_explicit_empty_one_and_its_scheme_goes() {
    for scheme in [
        BEARER,
        r#"{"type": "oauth2", "flows": {}}"#,
        r#"{"type": "openIdConnect", "openIdConnectUrl": "https://x"}"#,
        r#"{"type": "apiKey", "in": "header", "name": "authorization"}"#,
    ] {
        let document = with(&format!(r#"{{"b": {scheme}}}"#), r#"[{"b": ["a"]}]"#);
        let expected = r#"{"openapi": "3.1.0", "paths": {"/a": {"get": {"security": [] , "x": 1.0e2}}},
  "components": {"schemas": {} }}"#;
        assert_eq!(
            without_security(&document).as_deref(),
            Some(expected),
            "{scheme}"
        );
    }
}

#[test]
fn what_the_token_does_not_satisfy_stays() {
    for scheme in [
        OTHER,
        r#"{"type": "http", "scheme": "basic"}"#,
        r#"{"type": "apiKey", "in": "query", "name": "authorization"}"#,
        r#"{"type": "mutualTLS"}"#,
        r##"{"$ref": "#/components/securitySchemes/other"}"##,
        r##"{"$ref": "#/components/securitySchemes/b"}"##,
        r#"{"$ref": "other.json#/b"}"#,
        "7",
    ] {
        let document = with(&format!(r#"{{"b": {scheme}}}"#), r#"[{"b": []}]"#);
        assert_eq!(without_security(&document), None, "{scheme}");
    }
}

#[test]
fn of_requirements_that_hold_together_the_rest_stays() {
    let schemes = format!(r#"{{"z": {OTHER}, "b": {BEARER}, "a": {OTHER}}}"#);
    let new = without_security(&with(
        &schemes,
        r#"[{"b": [], "z": []}, {"b": [], "a": []}]"#,
    ))
    .unwrap();
    assert!(
        new.contains(r#""security": [{"z":[]},{"a":[]}] ,"#),
        "{new}"
    );
    let kept = format!(r#""securitySchemes": {{"z":{OTHER},"a":{OTHER}}} "#);
    assert!(new.contains(&kept), "{new}");
    // One alternative is enough.
    let new = without_security(&with(&schemes, r#"[{"z": []}, {"b": []}]"#)).unwrap();
    assert!(new.contains(r#""security": [] ,"#), "{new}");
}

#[test]
fn the_requirement_of_the_document_and_swagger_2_are_treated_alike() {
    let document = r#"{"security": [{"o": []}], "swagger": "2.0", "securityDefinitions": {"o": {"type": "oauth2"}},
        "paths": {"/a": {"post": {"security": [{"o": ["x"]}]}}}}"#;
    let expected = r#"{"security": [], "swagger": "2.0",
        "paths": {"/a": {"post": {"security": []}}}}"#;
    assert_eq!(without_security(document).as_deref(), Some(expected));
}

#[test]
fn a_key_in_the_field_of_the_token_is_satisfied() {
    let changes = DocumentChanges {
        token_field: http::HeaderName::from_static("x-key"),
        ..REMOVED
    };
    let document = with(&format!(r#"{{"k": {OTHER}}}"#), r#"[{"k": []}]"#);
    let new = changed(&document, &changes).unwrap();
    assert!(new.contains(r#""security": [] ,"#), "{new}");
}

#[test]
fn where_callers_need_keys_a_scheme_for_the_key_takes_the_place() {
    let changes = DocumentChanges {
        asks_for_key: true,
        ..REMOVED
    };
    let schemes = format!(r#"{{"b": {BEARER}, "z": {OTHER}}}"#);
    let new = changed(
        &with(&schemes, r#"[{"b": [], "z": []}, {"b": []}]"#),
        &changes,
    )
    .unwrap();
    let json: serde_json::Value = serde_json::from_str(&new).unwrap();
    let security = &json["paths"]["/a"]["get"]["security"];
    assert_eq!(
        *security,
        serde_json::json!([{ "cupbearer-caller-key": [] }])
    );
    let schemes = &json["components"]["securitySchemes"];
    assert_eq!(schemes["cupbearer-caller-key"]["scheme"], "basic");
    assert_eq!(schemes.as_object().unwrap().len(), 2);
    let swagger = r#"{"swagger": "2.0", "securityDefinitions": {"o": {"type": "oauth2"}}}"#;
    let json: serde_json::Value =
        serde_json::from_str(&changed(swagger, &changes).unwrap()).unwrap();
    assert_eq!(
        json["securityDefinitions"]["cupbearer-caller-key"]["type"],
        "basic"
    );
}

/// The document as JSON after it has been changed.
fn json_after(document: &str, changes: &DocumentChanges) -> serde_json::Value {
    serde_json::from_str(&changed(document, changes).unwrap()).unwrap()
}

#[test]
fn where_the_clients_authorization_is_forwarded_only_the_tokens_own_field_is_satisfied() {
    let changes = DocumentChanges {
        token_field: http::HeaderName::from_static("x-key"),
        keeps_authorization: true,
        ..REMOVED
    };
    for scheme in [
        BEARER,
        r#"{"type": "oauth2", "flows": {}}"#,
        r#"{"type": "openIdConnect", "openIdConnectUrl": "https://x"}"#,
    ] {
        let document = with(
            &format!(r#"{{"user": {scheme}, "key": {OTHER}}}"#),
            r#"[{"user": ["a"], "key": []}]"#,
        );
        let json = json_after(&document, &changes);
        let security = &json["paths"]["/a"]["get"]["security"];
        assert_eq!(*security, serde_json::json!([{ "user": ["a"] }]));
        let schemes = json["components"]["securitySchemes"].as_object().unwrap();
        assert_eq!(schemes.keys().collect::<Vec<_>>(), ["user"]);
    }
}

#[test]
fn where_the_clients_authorization_is_forwarded_a_callers_key_has_its_own_field() {
    let changes = DocumentChanges {
        token_field: http::HeaderName::from_static("x-key"),
        keeps_authorization: true,
        asks_for_key: true,
        ..REMOVED
    };
    let swagger = format!(r#"{{"swagger": "2.0", "securityDefinitions": {{"k": {OTHER}}}}}"#);
    let json = json_after(&swagger, &changes);
    let in_swagger = &json["securityDefinitions"]["cupbearer-caller-key"];
    let document = with(&format!(r#"{{"k": {OTHER}}}"#), r#"[{"k": []}]"#);
    let json = json_after(&document, &changes);
    let scheme = &json["components"]["securitySchemes"]["cupbearer-caller-key"];
    for scheme in [in_swagger, scheme] {
        let parts = ["type", "in", "name"].map(|name| scheme[name].as_str().unwrap());
        assert_eq!(parts, ["apiKey", "header", "X-Cupbearer-Key"]);
    }
}

#[test]
fn a_scheme_that_refers_to_a_satisfied_one_is_satisfied_too() {
    let reference = |name: &str| format!(r##"{{"$ref": "#/components/securitySchemes/{name}"}}"##);
    let schemes = format!(
        r#"{{"a/ b~": {BEARER}, "one": {}, "two": {}, "z": {OTHER}, "rest": {}}}"#,
        reference("a~1%20b~0"),
        reference("one"),
        reference("z")
    );
    let document = with(&schemes, r#"[{"two": [], "rest": []}]"#);
    let json = json_after(&document, &REMOVED);
    let security = &json["paths"]["/a"]["get"]["security"];
    assert_eq!(*security, serde_json::json!([{ "rest": [] }]));
    let kept = json["components"]["securitySchemes"].as_object().unwrap();
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["rest", "z"]);
}

#[test]
fn a_requirement_may_name_its_scheme_by_a_uri() {
    let schemes = format!(r#"{{"b": {BEARER}, "z": {OTHER}}}"#);
    let named =
        r##"[{"#/components/securitySchemes/b": [], "#/components/securitySchemes/z": []}]"##;
    let json = json_after(&with(&schemes, named), &REMOVED);
    let security = &json["paths"]["/a"]["get"]["security"];
    let rest = serde_json::json!([{ "#/components/securitySchemes/z": [] }]);
    assert_eq!(*security, rest);
    // A name that is declared wins.
    let schemes = format!(r##"{{"b": {BEARER}, "#/components/securitySchemes/b": {OTHER}}}"##);
    let named = r##"[{"#/components/securitySchemes/b": []}]"##;
    let new = without_security(&with(&schemes, named)).unwrap();
    assert!(new.contains(named), "{new}");
}

#[test]
fn a_scheme_of_the_document_with_our_name_is_replaced() {
    let changes = DocumentChanges {
        asks_for_key: true,
        ..REMOVED
    };
    let schemes = format!(r#"{{"cupbearer-caller-key": {OTHER}, "b": {BEARER}}}"#);
    let new = changed(&with(&schemes, r#"[{"b": []}]"#), &changes).unwrap();
    assert_eq!(
        new.matches(r#""cupbearer-caller-key":{"#).count(),
        1,
        "{new}"
    );
    assert!(!new.contains(OTHER), "{new}");
    let new = without_security(&with(&schemes, r#"[{"b": []}]"#)).unwrap();
    assert!(new.contains(OTHER), "{new}");
}

#[test]
fn what_webhooks_and_callbacks_require_stays_with_its_schemes() {
    let changes = DocumentChanges {
        asks_for_key: true,
        ..REMOVED
    };
    let own = r##"[{"alias":[]},{"#/components/securitySchemes/c":[]}]"##;
    let operation = format!(r#"{{"post": {{"security": {own}}}}}"#);
    let document = format!(
        r##"{{"openapi": "3.2.0", "security": [{{"b": []}}], "webhooks": {{"w": {operation}}},
            "paths": {{"/a": {{"get": {{"callbacks": {{"c": {{"{{$url}}": {operation}}}}}}}}}}},
            "components": {{"callbacks": {{"c": {{"{{$url}}": {operation}}}}}, "securitySchemes": {{
                "alias": {{"$ref": "#/components/securitySchemes/b"}}, "b": {BEARER}, "c": {BEARER}, "d": {BEARER}}}}}}}"##
    );
    let new = changed(&document, &changes).unwrap();
    assert_eq!(new.matches(own).count(), 3, "{new}");
    let json: serde_json::Value = serde_json::from_str(&new).unwrap();
    let root = serde_json::json!([{ "cupbearer-caller-key": [] }]);
    assert_eq!(json["security"], root);
    let schemes = json["components"]["securitySchemes"].as_object().unwrap();
    let names: Vec<_> = schemes.keys().collect();
    assert_eq!(names, ["alias", "b", "c", "cupbearer-caller-key"]);
}

#[test]
fn a_path_item_that_only_webhooks_and_callbacks_refer_to_describes_what_the_api_sends() {
    let sent = |of_paths: &str| {
        let document = format!(
            r##"{{"openapi": "3.1.0", "webhooks": {{"w": {{"$ref": "#/components/pathItems/a~1b"}}}},
            {of_paths} "components": {{"pathItems": {{"a/b": {{"post": {{"security": [{{"b": []}}]}}}},
            "P": {{"post": {{"security": [{{"b": []}}]}}}}}},
            "securitySchemes": {{"b": {{"type": "http", "scheme": "bearer"}}}}}}}}"##
        );
        let text = without_security(&document).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let items = sent(r##""paths": {"/p": {"$ref": "#/components/pathItems/P"}},"##);
    let items = &items["components"];
    assert_eq!(
        items["pathItems"]["a/b"]["post"]["security"][0]["b"],
        serde_json::json!([])
    );
    assert_eq!(
        items["pathItems"]["P"]["post"]["security"],
        serde_json::json!([])
    );
    assert!(items["securitySchemes"]["b"].is_object());
    let items = sent(r##""paths": {"/p": {"$ref": "#/components/pathItems/a~1b"}},"##);
    let item = &items["components"]["pathItems"]["a/b"];
    assert_eq!(item["post"]["security"], serde_json::json!([]));
}

#[test]
fn the_rest_of_the_object_stays_valid_wherever_the_schemes_are() {
    for (components, expected) in [
        (
            format!(r#"{{"securitySchemes": {{"b": {BEARER}}}, "x": 1}}"#),
            r#"{ "x": 1}"#,
        ),
        (
            format!(r#"{{"x": 1 , "securitySchemes":{{"b":{BEARER}}} }}"#),
            r#"{"x": 1  }"#,
        ),
        (
            format!(r#"{{"securitySchemes" : {{"b": {BEARER}}}}}"#),
            "{}",
        ),
    ] {
        let document = format!(r#"{{"openapi": "3.0.3", "components": {components}}}"#);
        let new = without_security(&document).unwrap();
        assert!(new.ends_with(&format!("{expected}}}")), "{new}");
        serde_json::from_str::<serde_json::Value>(&new).unwrap();
    }
}

#[test]
fn nothing_changes_with_keep_nor_in_what_is_no_openapi_document() {
    let document = with(&format!(r#"{{"b": {BEARER}}}"#), r#"[{"b": []}]"#);
    assert_eq!(changed(&document, &DocumentChanges::NONE), None);
    assert_eq!(
        without_security(&document.replace("openapi", "other")),
        None
    );
    assert_eq!(
        without_security(r#"{"openapi": "3.1.0", "security": [{"b": []}]}"#),
        None
    );
}

#[test]
fn the_note_is_added_to_the_description_or_becomes_it() {
    let noted = DocumentChanges {
        has_note: true,
        ..DocumentChanges::NONE
    };
    let new = changed(
        r#"{"openapi": "3.1.0", "info": {"title": "T", "description": "A\nB"}}"#,
        &noted,
    );
    let expected = r#"{"openapi": "3.1.0", "info": {"title": "T", "description": "A\nB\n\n*Signed in by cupbearer.*"}}"#;
    assert_eq!(new.as_deref(), Some(expected));
    let new = changed(r#"{"openapi": "3.1.0", "info": { "title": "T"}}"#, &noted);
    let expected = r#"{"openapi": "3.1.0", "info": {"description":"*Signed in by cupbearer.*", "title": "T"}}"#;
    assert_eq!(new.as_deref(), Some(expected));
}
