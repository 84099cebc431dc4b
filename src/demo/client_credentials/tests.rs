use super::*;

fn pair(text: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    basic_pair(format!("basic {}", STANDARD.encode(text)).as_bytes())
}

#[test]
fn client_id_and_secret_in_basic_are_percent_decoded() {
    let (id, secret) = pair("a%3Ab:p%20%2B%25%C3%A9~").unwrap();
    assert_eq!(id, b"a:b");
    assert_eq!(secret, "p +%é~".as_bytes());
}

#[test]
fn credentials_that_are_not_percent_encoded_are_rejected() {
    for text in [
        "id:a+b", "id:a b", "id:a:b", "id:100%", "id:%zz", "id:é", "no colon",
    ] {
        assert!(pair(text).is_none(), "{text}");
    }
}

#[test]
fn a_repeated_parameter_makes_the_request_malformed() {
    let mut headers = HeaderMap::new();
    let form = "application/x-www-form-urlencoded;charset=UTF-8"
        .parse()
        .unwrap();
    headers.insert(header::CONTENT_TYPE, form);
    assert!(TokenForm::read(&headers, b"scope=a&scope=b").is_err());
    assert!(TokenForm::read(&headers, b"scope=a&scopes=b").is_ok());
    assert!(TokenForm::read(&HeaderMap::new(), b"scope=a").is_err());
}

#[tokio::test(start_paused = true)]
async fn a_replaced_secret_works_until_its_grace_period_ends() {
    let grace = std::time::Duration::from_mins(1);
    let application = Application {
        previous_secret: Some((Secret::new("old"), Instant::now() + grace)),
        ..Application::with_secret(Secret::new("new"), AuthMethod::Basic)
    };
    assert!(application.accepts(&Secret::new("old")));
    tokio::time::advance(grace).await;
    assert!(!application.accepts(&Secret::new("old")));
    assert!(application.accepts(&Secret::new("new")));
}
