use super::*;

#[test]
fn every_problem_is_listed_and_no_private_key_is_returned() {
    let body = br#"{"name": "a/b", "fullchain": 1, "privkey": "MIIBVgIBADANBg"}"#;
    let mut fields = BodyFields::read(body).unwrap();
    fields.name("name");
    fields.pem("fullchain", "CERTIFICATE");
    fields.pem("privkey", "PRIVATE KEY");
    fields.one_of("product", &["pingaccess"]);

    let ValidationErrors(problems) = fields.done().unwrap_err();

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
fn a_flag_is_true_false_or_rejected() {
    assert!(flag(Some("x=1&force_delete=true"), "force_delete").unwrap());
    assert!(!flag(None, "force_delete").unwrap());
    assert!(flag(Some("force_delete=maybe"), "force_delete").is_err());
}
