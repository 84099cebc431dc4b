use http::StatusCode;

use super::*;
use crate::token::unreachable::EndpointRole;

const GIVEN: &str = r#"{"device_code":"secret","user_code":"WDJB-MJHT","verification_uri":"https://as.example.com/device",
    "expires_in":600"#;

fn read(more: &str) -> Result<DeviceAuthorization, DeviceResponseDefect> {
    DeviceAuthorization::read(format!("{GIVEN}{more}}}").as_bytes())
}

fn defect(response: &str) -> Option<DeviceResponseDefect> {
    DeviceAuthorization::read(response.as_bytes()).err()
}

#[test]
fn a_response_says_what_to_enter_where_and_how_often_to_ask() {
    let found = read("").unwrap();
    assert_eq!(found.prompt.user_code, "WDJB-MJHT");
    assert_eq!(
        found.prompt.verification_url.as_str(),
        "https://as.example.com/device"
    );
    assert_eq!(found.prompt.lifetime, Duration::from_mins(10));
    assert_eq!(found.interval, Duration::from_secs(5));
    let slow =
        read(r#","interval":9,"verification_uri_complete":"https://as.example.com/device?c=1""#);
    let slow = slow.unwrap();
    assert_eq!(slow.interval, Duration::from_secs(9));
    assert!(slow.prompt.complete_url.is_some());
    // No server keeps this proxy busy, or waiting for days.
    assert_eq!(
        read(r#","interval":0"#).unwrap().interval,
        SHORTEST_INTERVAL
    );
    // Some servers send numbers as strings.
    let quoted = GIVEN.replace("600", "\"900\"") + r#","interval":"9"}"#;
    let quoted = DeviceAuthorization::read(quoted.as_bytes()).unwrap();
    assert_eq!(quoted.prompt.lifetime, Duration::from_mins(15));
    assert_eq!(quoted.interval, Duration::from_secs(9));
    assert!(read(r#","interval":"often""#).is_err());
    let long = GIVEN.replace("600", "6000000");
    let long = DeviceAuthorization::read(format!("{long}}}").as_bytes()).unwrap();
    assert_eq!(long.prompt.lifetime, LONGEST_LIFETIME);
    assert!(read(r#","interval":-1"#).is_err());
    let endless = read(r#","interval":1e19"#).unwrap();
    assert_eq!(endless.interval, LONGEST_LIFETIME);
}

#[test]
fn no_address_at_which_a_password_could_be_read_is_ever_shown() {
    for (address, is_shown) in [
        ("https://as.example.com/device", true),
        ("http://127.0.0.1:1/device", true),
        ("http://as.example.com/device", false),
        ("https://as.example.com@evil.example.com/", false),
        ("javascript:alert(1)", false),
        ("file:///etc/passwd", false),
        ("device", false),
    ] {
        let text = GIVEN.replace("https://as.example.com/device", address) + "}";
        let expected = (!is_shown).then_some(DeviceResponseDefect::VerificationUrl);
        assert_eq!(defect(&text), expected, "{address}");
        // The code can be entered without the other address.
        let complete = read(&format!(r#","verification_uri_complete":"{address}""#)).unwrap();
        assert_eq!(
            complete.prompt.complete_url.is_some(),
            is_shown,
            "{address}"
        );
    }
    let steering = GIVEN.replace("/device", "/\\u001b[2Jdevice") + "}";
    let found = DeviceAuthorization::read(steering.as_bytes()).unwrap();
    let shown = found.prompt.verification_url.as_str();
    assert!(!shown.contains(char::is_control), "{shown:?}");
}

#[test]
fn a_response_that_is_of_no_use_says_what_is_missing() {
    for (from, to, expected) in [
        (
            r#""device_code":"secret","#,
            "",
            DeviceResponseDefect::NoDeviceCode,
        ),
        ("WDJB-MJHT", "", DeviceResponseDefect::UserCode),
        ("WDJB-MJHT", "A\\u001b[2J", DeviceResponseDefect::UserCode),
        ("WDJB-MJHT", "----", DeviceResponseDefect::UserCode),
        ("600", "0", DeviceResponseDefect::Lifetime),
        ("600", "-5", DeviceResponseDefect::Lifetime),
        ("600", "\"soon\"", DeviceResponseDefect::Lifetime),
        ("600", "\"NaN\"", DeviceResponseDefect::Lifetime),
        ("600", "[600]", DeviceResponseDefect::Lifetime),
    ] {
        let text = GIVEN.replace(from, to) + "}";
        assert_eq!(defect(&text), Some(expected), "{text}");
    }
    assert_eq!(defect("<html>"), Some(DeviceResponseDefect::NotJson));
    assert_eq!(defect("[]"), Some(DeviceResponseDefect::NotJson));
}

fn response(status: u16, code: &str, retry_after: Option<Duration>) -> GrantError {
    let status = StatusCode::from_u16(status).unwrap();
    let response = ErrorResponse::Fields {
        code: Some(code.to_owned()),
        description: None,
        correlation_id: None,
    };
    if status == StatusCode::BAD_REQUEST || status == StatusCode::FORBIDDEN {
        GrantError::Refused {
            endpoint: EndpointRole::Token,
            status,
            response,
            retry_after,
        }
    } else {
        GrantError::Unavailable {
            endpoint: EndpointRole::Token,
            status,
            response,
            retry_after,
        }
    }
}

#[test]
fn the_interval_grows_when_the_server_or_the_network_asks_for_it_and_only_then() {
    use DevicePollFailure::{Denied, Expired, Final, Pending};
    // Auth0 responds with 403 and 429.
    for (status, code, retry_after_s, expected, interval_s) in [
        (400, "authorization_pending", None, Pending, 5),
        (403, "authorization_pending", None, Pending, 5),
        (400, "slow_down", None, Pending, 10),
        (429, "slow_down", None, Pending, 10),
        (429, "slow_down", Some(30), Pending, 30),
        (503, "busy", None, Pending, 10),
        (503, "busy", Some(40), Pending, 40),
        (503, "busy", Some(4000), Pending, 600),
        (400, "access_denied", None, Denied, 5),
        (400, "expired_token", None, Expired, 5),
        (400, "invalid_grant", None, Final, 5),
        (400, "invalid_client", None, Final, 5),
    ] {
        let mut interval = PollInterval::new(Duration::from_secs(5));
        let error = response(status, code, retry_after_s.map(Duration::from_secs));
        let found = after_failure(&error, &mut interval, Duration::from_mins(10));
        assert_eq!(found, expected, "{status} {code}");
        assert_eq!(interval.next().as_secs(), interval_s, "{status} {code}");
    }
    let mut interval = PollInterval::new(Duration::from_secs(5));
    let slow_down = response(400, "slow_down", None);
    for _ in 0..3 {
        after_failure(&slow_down, &mut interval, Duration::from_mins(10));
    }
    assert_eq!(
        interval.next().as_secs(),
        20,
        "it lasts for all requests that follow"
    );
    let busy = response(503, "busy", None);
    let pending = response(400, "authorization_pending", None);
    for (error, expected) in [(&busy, 40), (&busy, 80), (&pending, 20), (&busy, 40)] {
        after_failure(error, &mut interval, Duration::from_mins(10));
        assert_eq!(interval.next().as_secs(), expected, "an outage passes");
    }
    let metadata = GrantError::SecretEmpty;
    let found = after_failure(&metadata, &mut interval, Duration::from_mins(10));
    assert_eq!(found, Final);
}
