use super::*;
use crate::demo::people::person;

#[tokio::test(start_paused = true)]
async fn a_code_works_once_and_only_after_a_person_has_entered_it() {
    let codes = DeviceCodes::default();
    let (code, user_code) = codes.begin("openid").unwrap();
    assert!(matches!(codes.ask(&code), DeviceOutcome::Pending));
    assert!(matches!(codes.ask(&code), DeviceOutcome::TooEarly));
    tokio::time::advance(INTERVAL).await;
    assert!(matches!(codes.ask(&code), DeviceOutcome::Pending));
    assert!(matches!(codes.ask("other"), DeviceOutcome::Unknown));

    assert!(!codes.decide("BBBB-BBBB-B", person("ada")));
    let typed = user_code.to_lowercase().replace('-', " ");
    assert_eq!(codes.waiting(&typed), Some(user_code.clone()));
    assert!(codes.decide(&typed, person("ada")));
    assert!(!codes.decide(&typed, person("otto")), "it has been decided");
    assert!(codes.waiting(&typed).is_none());
    let granted = codes.ask(&code);
    assert!(matches!(granted, DeviceOutcome::Granted(consent) if consent.person.subject == "ada"));
    assert!(matches!(codes.ask(&code), DeviceOutcome::Unknown));
}

#[tokio::test(start_paused = true)]
async fn a_program_learns_that_a_code_has_been_denied_or_has_expired() {
    let codes = DeviceCodes::default();
    let (code, user_code) = codes.begin("openid").unwrap();
    assert!(codes.decide(&user_code, None));
    assert!(matches!(codes.ask(&code), DeviceOutcome::Denied));

    let (code, user_code) = codes.begin("openid").unwrap();
    tokio::time::advance(LIFETIME).await;
    assert!(!codes.decide(&user_code, person("ada")));
    assert!(matches!(codes.ask(&code), DeviceOutcome::Expired));
}
