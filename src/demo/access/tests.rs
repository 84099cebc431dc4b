use super::*;

#[test]
fn reads_need_an_audit_or_admin_role_and_writes_need_an_admin_role() {
    for (role, reads, writes) in [
        ("dev-tls-admin", true, true),
        ("dev-tls-audit", true, false),
        ("all-tls-admin", true, true),
        ("all-tls-audit", true, false),
        ("all-ss-admin", true, true),
        ("prod-tls-admin", false, false),
        ("dev-pa-admin", false, false),
        ("DEV-TLS-ADMIN", false, false),
    ] {
        let groups = json!(["other", role]);
        assert_eq!(has_role(&groups, &Method::GET), reads, "{role}");
        assert_eq!(has_role(&groups, &Method::DELETE), writes, "{role}");
    }
}

#[test]
fn a_role_in_a_plain_string_grants_nothing() {
    assert!(!has_role(&json!("{\"dev-tls-admin\"}"), &Method::GET));
    assert!(!has_role(&json!("dev-tls-admin"), &Method::GET));
    assert!(!has_role(&Value::Null, &Method::GET));
}
