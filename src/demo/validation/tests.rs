use super::*;

#[test]
fn all_that_is_wrong_is_listed_and_no_key_comes_back() {
    let body = br#"{"name": "a/b", "fullchain": 1, "privkey": "MIIBVgIBADANBg"}"#;
    let mut fields = Fields::read(body).unwrap();
    fields.name("name");
    fields.pem("fullchain", "CERTIFICATE");
    fields.pem("privkey", "PRIVATE KEY");
    fields.one_of("product", &["pingaccess"]);

    let Invalid(problems) = fields.done().unwrap_err();

    let kinds: Vec<_> = problems
        .iter()
        .map(|problem| problem["type"].clone())
        .collect();
    assert_eq!(
        kinds,
        [
            "string_pattern_mismatch",
            "string_type",
            "value_error",
            "missing"
        ]
    );
    assert!(!json!(problems).to_string().contains("MIIB"));
}

#[test]
fn a_flag_is_read_as_true_or_false_or_refused() {
    assert!(flag(Some("x=1&force_delete=true"), "force_delete").unwrap());
    assert!(!flag(None, "force_delete").unwrap());
    assert!(flag(Some("force_delete=maybe"), "force_delete").is_err());
}
