use super::*;

#[test]
fn our_own_name_is_found_in_any_line_of_via_and_no_other_name_is() {
    let ours = ViaName::generate("cupbearer");
    let own_line = ViaLines::of(&ours).line(Version::HTTP_11).clone();
    let other = ViaLines::of(&ViaName::generate("other"))
        .line(Version::HTTP_11)
        .clone();
    let text = own_line.to_str().unwrap();
    for (lines, is_loop) in [
        (vec![text.to_owned()], true),
        (vec![text.to_uppercase()], true),
        (
            vec![
                "1.0 fred".to_owned(),
                format!("HTTP/1.1  nowhere.com:80 (x),{text} (y)"),
            ],
            true,
        ),
        (vec![other.to_str().unwrap().to_owned()], false),
        (vec![format!("{text}0")], false),
        (vec![format!("1.1 fred ({text})")], false),
        (vec![String::new()], false),
        (vec![], false),
    ] {
        let mut headers = HeaderMap::new();
        for line in &lines {
            headers.append(header::VIA, HeaderValue::try_from(line).unwrap());
        }
        assert_eq!(ours.check(&headers).is_err(), is_loop, "{lines:?}");
    }
}

#[test]
fn via_has_the_version_in_which_the_request_was_received() {
    let ours = ViaName::generate("a.b");
    let via = ViaLines::of(&ours);
    assert_eq!(via.line(Version::HTTP_11), &format!("1.1 {}", ours.0));
    assert_eq!(via.line(Version::HTTP_10), &format!("1.0 {}", ours.0));
    assert!(ours.0.starts_with("a.b-"));
    assert_ne!(ours.0, ViaName::generate("a.b").0);
}
