use super::*;

fn nominated(lines: &[&str]) -> NominatedFields {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(header::CONNECTION, line.parse().unwrap());
    }
    NominatedFields::of(&headers)
}

#[test]
fn every_nominated_field_is_found_in_whatever_order_they_stand() {
    let fields = nominated(&["x-z, close,X-A ,,keep-alive", "te, x-m"]);
    for name in ["x-z", "x-a", "te", "x-m"] {
        let name = HeaderName::from_static(name);
        assert!(fields.contains(&name), "{name}");
    }
    for name in ["x-b", "close", "keep-alive"] {
        let name = HeaderName::from_static(name);
        assert!(!fields.contains(&name), "{name}");
    }
    assert!(!nominated(&[]).contains(&header::TE));
}
